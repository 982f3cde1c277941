from __future__ import annotations

import pytest
import torch

from components.contract.errors import ResourceError
from components.lib.engine.batch import Batch
from components.lib.engine.device import build_fabric, precision_of, resolve_device, use_threads
from components.lib.engine.step import Step
from components.lib.engine.task import TrainingTask
from tests.lib.engine.tiny import parameters


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_asked_for_and_absent_is_an_error_with_a_next_step() -> None:
    with pytest.raises(ResourceError, match=r"no usable GPU(.|\n)*set training.device to auto or cpu"):
        resolve_device(parameters(device="cuda"))


def test_auto_falls_back_to_the_processor_in_32_bits() -> None:
    device = resolve_device(parameters(device="auto"))
    assert device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert precision_of(parameters(precision="auto"), torch.device("cpu")) == "32-true"


@pytest.mark.parametrize(("asked", "given"), [("32", "32-true"), ("bf16", "bf16-mixed")])
def test_an_explicit_precision_is_kept(asked: str, given: str) -> None:
    assert precision_of(parameters(precision=asked), torch.device("cpu")) == given


def test_threads_are_those_of_the_parameters_and_none_leaves_them() -> None:
    before = torch.get_num_threads()
    try:
        use_threads(parameters(threads=3))
        assert torch.get_num_threads() == 3
        use_threads(parameters(threads=None))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


class Spy(TrainingTask):
    """Keeps the scales of its last step and the number format of its convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.net = torch.nn.Conv2d(3, 1, 1)
        self.scales, self.computed = torch.zeros(0), torch.float64

    def losses(self, batch: Batch) -> Batch:
        values = self.net(batch["image"].float())
        self.scales, self.computed = batch["scales"], values.dtype
        return {"loss": values.float().mean()}


@pytest.mark.parametrize(("asked", "computed"), [("32", torch.float32), ("bf16", torch.bfloat16)])
def test_a_step_gets_the_floating_numbers_of_its_batch_as_they_are(asked: str, computed: torch.dtype) -> None:
    settings, task = parameters(precision=asked), Spy()
    step = Step(task, settings, build_fabric(settings, torch.device("cpu")))
    scales = torch.tensor([0.8765432, 1.2345678])
    step({"image": torch.ones(2, 3, 4, 4, dtype=torch.uint8), "scales": scales}, number=0, rate=1e-3)
    assert task.computed == computed
    assert task.scales.dtype == torch.float32
    assert torch.equal(task.scales, scales)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_auto_takes_bf16_on_a_gpu_that_has_it() -> None:
    assert precision_of(parameters(precision="auto"), torch.device("cuda")) == "bf16-mixed"
