"""Seconds per step of DisOptNet's distillation: a plain 32-bit loop against the engine's step.

    python -m tests.benchmarks.bench_step [--encoder efficientnet-b3] [--crop 256] [--batch 2] [--device cpu]
        [--precision 32 bf16] [--compile] [--steps 3] [--repeats 5]

The plain loop is written from the method's description (reference distillation 1.4 and 1.5): contiguous
tensors, 32 bits, losses as the formulas stand, gradients set to zero, one loss read back per step. Ours is
what ``fit`` does per step: the same networks, seed, batch and losses. All variants
alternate in one run; ratios are medians of the ratios within a round. Loading is in neither.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from components.lib.architectures.deeplab import DeepLab
from components.lib.architectures.two_branch import TwoBranchNetwork
from components.lib.engine.device import keep_memory
from components.lib.engine.parameters import TrainingParameters
from components.lib.methods.disoptnet import DisOptNetTask
from components.lib.nets.atrous import AtrousDepthwise
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from tests.benchmarks.engine_steps import engine_steps

RATE = 1e-4  # of a random network: small enough to stay finite
FEATURES = ("f4", "f5", "decoder")
Arrays = dict[str, np.ndarray[Any, Any]]
Steps = Callable[[int], None]


@dataclass
class Measured:
    """Figures of one round of steps: seconds per step (wall, processor) and share the device was busy."""

    wall: float
    cpu: float
    busy: float


def networks(arguments: argparse.Namespace) -> tuple[DeepLab, TwoBranchNetwork]:
    torch.manual_seed(0)
    shape: dict[str, Any] = {
        "encoder": arguments.encoder, "decoder_channels": arguments.decoder_channels, "sensors": ("a",)
    }  # fmt: skip
    teacher = build_network(NetworkConfig(kind="deeplabv3plus", modality="optical", **shape))
    student = build_network(NetworkConfig(kind="disoptnet", **shape))
    assert isinstance(teacher, DeepLab)
    assert isinstance(student, TwoBranchNetwork)
    return teacher, student


def random_batch(crop: int, batch: int) -> Arrays:
    rng = np.random.default_rng(0)
    layers = {
        name: rng.integers(0, 256, (batch, crop, crop, 4), dtype=np.uint8) for name in ("sar", "optical")
    }
    return {**layers, "target": (layers["sar"][..., :3] > 128).astype(np.uint8)}


def plain_steps(arguments: argparse.Namespace, arrays: Arrays, device: torch.device) -> Steps:
    """The loop of the description, nothing tuned."""
    teacher, student = networks(arguments)
    for module in (*teacher.modules(), *student.modules()):
        if isinstance(module, AtrousDepthwise):
            module.__class__ = nn.Conv2d  # type: ignore[assignment]  # as the library builds it: padding is multiplied too
    teacher.to(device).eval()
    student.to(device).train()
    optimiser = torch.optim.SGD(
        student.parameters(), lr=RATE, momentum=0.9, nesterov=True, weight_decay=1e-4, foreach=False
    )

    def segmentation(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        p = logits.softmax(dim=1)
        t = F.one_hot(labels, 2).permute(0, 3, 1, 2).float()
        overlap, total = (p * t).sum((0, 2, 3)), p.sum((0, 2, 3)) + t.sum((0, 2, 3))
        dice = ((1 - 2 * overlap / total.clamp_min(1e-7)) * (t.sum((0, 2, 3)) > 0)).mean()
        return dice + F.cross_entropy(logits, labels)

    def tensor(name: str) -> torch.Tensor:
        return torch.from_numpy(arrays[name]).permute(0, 3, 1, 2).contiguous().float().to(device)

    def steps(count: int) -> None:
        for _ in range(count):
            sar, optical, y = tensor("sar"), tensor("optical"), tensor("target")[:, 0].long()
            with torch.no_grad():
                z_t, taught = teacher.forward_features(optical)
            z_s, z_r, z_f, own, *_ = student.forward_branches(sar)
            pw = 8 * -(z_t.softmax(1) * z_r.log_softmax(1)).sum(1).mean()
            mse = sum((F.mse_loss(own[name], taught[name]) for name in FEATURES), start=torch.zeros_like(pw))
            loss = (
                segmentation(z_s, y) + segmentation(z_r, z_t.argmax(1)) + pw + segmentation(z_f, y) + mse / 3
            )
            optimiser.zero_grad(set_to_none=False)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            assert np.isfinite(loss.item())

    return steps


def our_steps(arguments: argparse.Namespace, arrays: Arrays, device: torch.device, precision: str) -> Steps:
    """Take the steps of the engine, with a log at the end of each round."""
    teacher, student = networks(arguments)
    parameters = TrainingParameters(
        encoder=arguments.encoder, encoder_weights=None, decoder_channels=arguments.decoder_channels,
        crop=arguments.crop, batch=arguments.batch, lr=RATE, momentum=0.9, weight_decay=1e-4,
        precision="bf16" if precision == "bf16" else "32", device=device.type, compile=arguments.compile,
        seed=0, checkpoint_every=10**9, log_every=10**9,
    )  # fmt: skip
    task = DisOptNetTask(student, teacher, FEATURES)
    return engine_steps(task, parameters, arrays, device)


def measure(steps: Steps, count: int, device: torch.device) -> Measured:
    """One round."""
    cpu = time.process_time()
    if device.type == "cpu":
        wall = time.perf_counter()
        steps(count)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        return Measured(wall / count, cpu / count, cpu / wall / torch.get_num_threads())
    torch.cuda.synchronize()
    wall = time.perf_counter()
    steps(count)
    torch.cuda.synchronize()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Measured(wall / count, cpu / count, float("nan"))


def busy_share(steps: Steps, count: int) -> float:
    """Time in kernels over wall time on the GPU, from the profiler; kernels of one stream do not overlap."""
    from torch.profiler import ProfilerActivity, profile  # noqa: PLC0415

    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        wall = time.perf_counter()
        steps(count)
        torch.cuda.synchronize()
        wall = time.perf_counter() - wall
    return float(sum(event.self_device_time_total for event in profiler.key_averages())) / 1e6 / wall


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--encoder", default="efficientnet-b3")
    parser.add_argument("--decoder-channels", type=int, default=256)
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", nargs="+", choices=("32", "bf16"), default=["32", "bf16"])
    parser.add_argument("--compile", action="store_true", help="torch.compile ours (GPU only)")
    parser.add_argument("--steps", type=int, default=3, help="per round and variant (default 3)")
    parser.add_argument("--repeats", type=int, default=5, help="rounds (default 5)")
    parser.add_argument("--keep-memory", action="store_true", help="as on a CPU; the plain loop has it, too")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    if arguments.keep_memory:
        keep_memory()
    arrays = random_batch(arguments.crop, arguments.batch)
    variants = {"plain": plain_steps(arguments, arrays, device)}
    for precision in arguments.precision:
        variants[f"ours, {precision}"] = our_steps(arguments, arrays, device, precision)
    for steps in variants.values():
        steps(2)  # kernels chosen, compiled, memory taken
    rounds = [
        {name: measure(steps, arguments.steps, device) for name, steps in variants.items()}
        for _ in range(arguments.repeats)
    ]
    print(
        f"{arguments.encoder}, crop {arguments.crop}, batch {arguments.batch}, {device.type}, "
        f"{torch.get_num_threads()} thread(s), torch {torch.__version__}, {arguments.repeats} rounds of "
        f"{arguments.steps} steps"
    )
    print(f"{'':12} {'s/step':>8} {'CPU s':>8} {'ratio':>6} {'by CPU':>7} {'busy':>6}")
    for name, steps in variants.items():
        own, plain = [r[name] for r in rounds], [r["plain"] for r in rounds]
        ratio = statistics.median(p.wall / o.wall for p, o in zip(plain, own, strict=True))
        by_cpu = statistics.median(p.cpu / o.cpu for p, o in zip(plain, own, strict=True))
        busy = statistics.median(o.busy for o in own)
        if device.type == "cuda":
            busy = busy_share(steps, arguments.steps)
        wall, cpu = statistics.median(o.wall for o in own), statistics.median(o.cpu for o in own)
        print(f"{name:12} {wall:8.3f} {cpu:8.3f} {ratio:6.2f} {by_cpu:7.2f} {busy:6.0%}")


if __name__ == "__main__":
    main()
