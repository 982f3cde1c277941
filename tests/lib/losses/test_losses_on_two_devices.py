"""Two processes with half of the batch each give the gradient of one with all of it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, distributed
from torch.multiprocessing.spawn import spawn

from components.lib.losses.contours import contour_loss
from components.lib.losses.distillation import feature_mse
from components.lib.losses.focal import RELEASED
from components.lib.losses.segmentation import IGNORE, segmentation_loss
from components.lib.losses.symmetric import symmetric_cross_entropy
from components.lib.methods.concord import channelwise_distillation, relation_loss
from components.lib.methods.hfd_reading import feature_direction, logit_kl

DEVICES = 2


def example() -> dict[str, Tensor]:
    """A batch whose halves hold different amounts of buildings and of data."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2, (4, 32, 32), generator=generator)
    labels[:2, :, :24] = 0
    labels[0, :10] = IGNORE
    weight = torch.ones(4, 32, 32)
    weight[3, 8:] = 0
    weight[2] = 0
    return {
        "x": torch.randn(4, 3, 32, 32, generator=generator),
        "teacher": torch.randn(4, 3, 32, 32, generator=generator),
        "labels": labels,
        "weight": weight,
    }


def terms(parameter: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every loss that is not a plain mean, of a network with three weights."""
    maps = batch["x"] * parameter.reshape(1, 3, 1, 1)
    labels, weight, teacher = batch["labels"], batch["weight"], batch["teacher"]
    student, taught = {"f": maps}, {"f": teacher}
    generator = torch.Generator().manual_seed(1)
    return {
        "segmentation": segmentation_loss(maps[:, :2], labels, ignore_index=IGNORE),
        "symmetric": symmetric_cross_entropy(maps[:, :2], labels, ignore_index=IGNORE, weight=weight),
        "focal": RELEASED.loss(maps[:, 0], labels == 1, (labels != IGNORE).float()),
        "contours": contour_loss(maps, teacher > 0.5, weight=weight),
        "mse": feature_mse(student, taught, ["f"], weight),
        "direction": feature_direction(student, taught, ["f"], weight),
        "kl": logit_kl(maps[:, :2], teacher[:, :2], weight=weight),
        "channelwise": channelwise_distillation(maps, teacher, weight=weight),
        "relation": relation_loss(
            maps, teacher, labels, generator=generator, weight=weight, anchors=1024, others=1024
        ),
    }


def gradients(batch: dict[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """Value and gradient of each term."""
    result = {}
    for name in terms(torch.ones(3), batch):
        parameter = torch.tensor([0.5, 1.0, 2.0], requires_grad=True)
        loss = terms(parameter, batch)[name]
        torch.autograd.backward(loss)
        assert parameter.grad is not None
        result[name] = (loss.detach(), parameter.grad)
    return result


def work(rank: int, folder: str) -> None:
    """One device: its share of the batch, gradients averaged as DDP does."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=DEVICES
    )
    own = {name: value[2 * rank : 2 * rank + 2] for name, value in example().items()}
    found = gradients(own)
    for _, gradient in found.values():
        distributed.all_reduce(gradient)
        gradient.div_(DEVICES)
    if rank == 0:
        torch.save({name: list(pair) for name, pair in found.items()}, f"{folder}/found.pt")
    distributed.destroy_process_group()


def test_two_devices_are_one(tmp_path: Path) -> None:
    spawn(work, args=(str(tmp_path),), nprocs=DEVICES)  # type: ignore[no-untyped-call]
    found = torch.load(tmp_path / "found.pt", weights_only=True)
    for name, (loss, gradient) in gradients(example()).items():
        assert torch.allclose(found[name][0], loss, rtol=1e-4), name
        assert torch.allclose(found[name][1], gradient, rtol=1e-3, atol=1e-6), name
