from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from components.contract.errors import ParameterError
from components.lib.architectures.deeplab import DeepLab
from components.lib.architectures.two_branch import TwoBranchNetwork
from components.lib.engine.loop import fit
from components.lib.losses.distillation import soft_cross_entropy
from components.lib.losses.segmentation import cross_entropy, segmentation_loss
from components.lib.methods.base import MethodParameters
from components.lib.methods.concord import ConcordParameters, ConcordTask, start_from_teacher
from components.lib.methods.optical_init import METHOD as OPTICAL_INIT
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from tests.lib.engine.tiny import parameters
from tests.lib.methods.test_disoptnet import ENCODER, batches, tensors

OFF: dict[str, Any] = {"soft": 0.0, "channelwise": 0.0, "relation": 0.0}


def deeplab(seed: int, modality: str = "sar", *, contours: bool = False) -> DeepLab:
    torch.manual_seed(seed)
    shape: dict[str, Any] = {"encoder": ENCODER, "decoder_channels": 16, "sensors": ("a",)}
    net = build_network(NetworkConfig(kind="deeplabv3plus", modality=modality, contours=contours, **shape))
    assert isinstance(net, DeepLab)
    return net


def two_branches(seed: int, *, contours: bool = False) -> TwoBranchNetwork:
    torch.manual_seed(seed)
    shape: dict[str, Any] = {"encoder": ENCODER, "decoder_channels": 16, "sensors": ("a",)}
    net = build_network(NetworkConfig(kind="disoptnet", contours=contours, **shape))
    assert isinstance(net, TwoBranchNetwork)
    return net


def make_task(layover_px: int = 8, seed: int = 0, **switches: Any) -> ConcordTask:
    task = ConcordTask(
        two_branches(1),
        deeplab(2, "optical"),
        ConcordParameters(**switches),
        layover_px=layover_px,
        seed=seed,
    )
    task.eval()
    task.before_step(0)
    return task


def test_without_its_parts_only_the_truth_teaches() -> None:
    task, batch = make_task(**OFF), tensors(0)
    losses = task.losses(batch)
    assert losses.keys() == {"loss", "seg_s", "seg_f"}
    maps = task.student.supervised_maps(batch["sar"])
    expected = sum(segmentation_loss(z, batch["target"][:, 0]).item() for z in maps)
    assert losses["loss"].item() == pytest.approx(expected, rel=1e-6)


def test_every_part_is_a_term_of_the_sum() -> None:
    losses = make_task(ramp=0.0).losses(tensors(0))
    assert losses.keys() == {"loss", "seg_s", "seg_f", "soft", "channelwise", "relation"}
    terms = sum(value.item() for name, value in losses.items() if name != "loss")
    assert losses["loss"].item() == pytest.approx(terms, rel=1e-5)
    assert all(value.item() > 0 for value in losses.values())


def test_a_wrong_teacher_has_no_say_where_it_is_trusted_only_if_right() -> None:
    """With every class of the teacher wrong, nothing is left of the trusted term."""
    batch = tensors(0)
    task = make_task(masked=False, relation=0.0, channelwise=0.0)
    with torch.no_grad():
        wrong = 1 - task.teacher(batch["optical"]).argmax(dim=1)
    batch["target"] = wrong.unsqueeze(1).expand(-1, 3, -1, -1).to(torch.uint8)
    losses = task.losses(batch)
    assert losses["soft"].item() == 0
    credulous = make_task(masked=False, relation=0.0, channelwise=0.0, trusted=False).losses(batch)
    assert credulous["soft"].item() > 0


def test_a_right_teacher_teaches_what_the_labels_do_not() -> None:
    """A teacher whose class is the true one: its probabilities still are not the label's 0 and 1."""
    batch = tensors(0)
    task = make_task(masked=False, relation=0.0, channelwise=0.0, soft=1.0)
    with torch.no_grad():
        theirs = task.teacher(batch["optical"])
        right = theirs.argmax(dim=1)
        batch["target"] = right.unsqueeze(1).expand(-1, 3, -1, -1).to(torch.uint8)
        logits = task.student.forward_branches(batch["sar"]).z_r
        losses = task.losses(batch)
    assert losses["soft"].item() == pytest.approx(soft_cross_entropy(logits, theirs).item(), rel=1e-5)
    assert losses["soft"].item() != pytest.approx(cross_entropy(logits, right).item(), rel=1e-2)
    assert not {"labels", "symmetric"} & set(ConcordParameters.model_fields), "they would repeat the truth"


def test_layover_and_no_data_are_left_out_of_what_compares_sensors() -> None:
    batch = tensors(0)
    batch["target"] = torch.zeros_like(batch["target"])
    batch["target"][:, :, 40:50, 20:40] = 1
    batch["sar"][:, :, :, 50:] = 0
    task = make_task(layover_px=12, trusted=False, relation=0.0, channelwise=0.0, soft=1.0)
    seen = torch.ones(4, 64, 64, dtype=torch.bool)
    seen[:, :, 50:] = False
    seen[:, 28:40, 20:40] = False
    with torch.no_grad():
        theirs = task.teacher(batch["optical"])
        expected = soft_cross_entropy(task.student.forward_branches(batch["sar"]).z_r, theirs, seen)
        assert task.losses(batch)["soft"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_layover_is_as_long_as_the_crop_is_zoomed() -> None:
    """Two crops of one scene: at half the size a building's layover has half the pixels."""
    batch = {name: layer[:2] for name, layer in tensors(0).items()}
    batch["target"] = torch.zeros_like(batch["target"])
    batch["target"][:, :, 40:50, 20:40] = 1
    batch["sar"] |= 1
    batch["scales"] = torch.tensor([0.5, 1.25])
    task = make_task(layover_px=12, trusted=False, relation=0.0, channelwise=0.0, soft=1.0)
    seen = torch.ones(2, 64, 64, dtype=torch.bool)
    seen[0, 34:40, 20:40] = False
    seen[1, 25:40, 20:40] = False
    with torch.no_grad():
        theirs = task.teacher(batch["optical"])
        expected = soft_cross_entropy(task.student.forward_branches(batch["sar"]).z_r, theirs, seen)
        assert task.losses(batch)["soft"].item() == pytest.approx(expected.item(), rel=1e-6)


def test_draws_of_the_relation_loss_are_a_function_of_seed_and_step() -> None:
    # Large enough that not every cell is drawn.
    batch = {name: layer.repeat(1, 1, 3, 3) for name, layer in tensors(0).items()}

    def relation(seed: int, step: int) -> float:
        task = make_task(seed=seed)
        task.before_step(step)
        return task.losses(batch)["relation"].item()

    assert relation(1, 5) == relation(1, 5)
    assert len({relation(1, 5), relation(1, 6), relation(2, 5)}) == 3


def test_the_ramp_scales_the_teachers_probabilities_alone() -> None:
    task = ConcordTask(
        two_branches(1), deeplab(2, "optical"), ConcordParameters(), layover_px=8, seed=0, ramp_steps=10
    )
    task.eval()
    task.before_step(0)
    first = task.losses(tensors(0))
    task.before_step(10)
    last = task.losses(tensors(0))
    assert first["soft"].item() == 0 < last["soft"].item()
    assert torch.equal(first["channelwise"], last["channelwise"])


def test_branch_r_sees_the_truth_only_through_the_fusion() -> None:
    task = make_task(trusted=False, masked=False)
    losses = task.losses(tensors(0))
    terms = [losses[name] for name in ("soft", "channelwise", "relation")]
    task.before_step(50)
    torch.autograd.backward(terms)
    assert all(parameter.grad is None for parameter in task.student.decoder_s.parameters())
    assert all(parameter.grad is not None for parameter in task.student.decoder_r.parameters())


def test_it_trains_and_the_teacher_stays(tmp_path: Path) -> None:
    task = make_task()
    before = {name: value.clone() for name, value in task.teacher.state_dict().items()}
    result = fit(task, batches, parameters(), 4, name="concord", checkpoint_dir=tmp_path)
    assert result.history[-1]["loss"] > 0
    assert all(torch.equal(value, before[name]) for name, value in task.teacher.state_dict().items())
    assert all(name.startswith("student.") for name in task.state_dict())


def test_starting_from_the_teacher_takes_every_weight() -> None:
    student, teacher = deeplab(1), deeplab(2, "optical")
    OPTICAL_INIT.start(student, teacher, MethodParameters())
    theirs = teacher.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in student.state_dict().items())
    assert student.config.modality == "sar"


def test_both_branches_start_as_the_teacher() -> None:
    student, teacher = two_branches(1, contours=True).eval(), deeplab(2, "optical", contours=True).eval()
    teacher.input_mean.copy_(student.input_mean)
    start_from_teacher(student, teacher)
    image = tensors(0)["sar"]
    branches, (logits, features) = student.forward_branches(image), teacher.forward_features(image)
    for seen in (branches.z_s, branches.z_r):
        torch.testing.assert_close(seen, logits, rtol=1e-4, atol=1e-5)
    drawn = teacher.forward_maps(image).contours
    assert branches.contours_s is not None
    assert drawn is not None
    torch.testing.assert_close(branches.contours_s, drawn, rtol=1e-4, atol=1e-5)
    assert teacher.contour_head is not None
    for head in (student.contour_head_s, student.contour_head_f):
        assert head is not None
        theirs = teacher.contour_head.state_dict()
        assert all(torch.equal(value, theirs[name]) for name, value in head.state_dict().items())
    torch.testing.assert_close(branches.features["f5"], features["f5"], rtol=1e-4, atol=1e-5)


def test_a_teacher_without_the_students_contour_head_is_an_error() -> None:
    with pytest.raises(ParameterError, match=r"training\.contour_weight.*without contours"):
        start_from_teacher(two_branches(1, contours=True), deeplab(2, "optical"))
    with pytest.raises(ParameterError, match=r"training\.contour_weight.*without contours"):
        OPTICAL_INIT.start(deeplab(1, contours=True), deeplab(2, "optical"), MethodParameters())
