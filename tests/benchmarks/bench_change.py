"""Seconds per training step and per batch of predictions of SGSLN: a plain 32-bit loop against ours.

    python -m tests.benchmarks.bench_change [--width 32] [--crop 256] [--batch 16] [--device cpu]
        [--precision 32 bf16] [--steps 3] [--repeats 5] [--methods]

The plain loop is written from the method's description (reference change 4.2 to 4.4): the same layers,
contiguous tensors in 32 bits, losses as the formulas stand, gradients set to zero, one loss read back per
step, each batch of predictions read back before the next. Ours is what ``fit`` and the stage's validation do.
All variants alternate in one run; ratios are medians of the ratios within a round, of wall-clock and of
processor time. Loading and augmentation are in neither. ``--methods`` also prints the parameters and the
seconds of every change method.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from components.lib.change.nets.bundle import build_change
from components.lib.change.nets.config import ChangeConfig, DateConfig
from components.lib.change.nets.network import ChangeNetwork
from components.lib.change.training.augmentation import Augmentation
from components.lib.change.training.loss import change_loss
from components.lib.change.training.presets import PRESETS
from components.lib.change.training.task import ChangeTask
from components.lib.change.training.validation import Validation
from components.lib.engine.parameters import TrainingParameters
from tests.benchmarks.engine_steps import engine_steps

METHODS = ("sgsln", "siamese_unet", "exchange_unet")
MEAN, STD = (110.0,) * 3, (45.0,) * 3
E = 1e-5
Arrays = dict[str, np.ndarray[Any, Any]]
Runs = Callable[[int], None]


def network(kind: str, width: int) -> ChangeNetwork:
    torch.manual_seed(0)
    date = DateConfig.of("optical", sensor="random", mean=MEAN, std=STD)
    return build_change(ChangeConfig(kind=kind, before=date, after=date, width=width, dropout=0.1))


def random_batch(crop: int, batch: int) -> Arrays:
    rng = np.random.default_rng(0)
    layers = {n: rng.integers(1, 256, (batch, crop, crop, 3), dtype=np.uint8) for n in ("before", "after")}
    return {**layers, "label": (layers["after"][..., :1] > 200).astype(np.uint8)}


def normalised(pixels: np.ndarray[Any, Any], device: torch.device) -> torch.Tensor:
    image = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous().float().to(device)
    return (image - MEAN[0]) / STD[0]


def plain_steps(arguments: argparse.Namespace, arrays: Arrays, device: torch.device) -> Runs:
    """The loop of the description, nothing tuned."""
    net = network("sgsln", arguments.width).to(device).train()
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-4, weight_decay=1e-3, foreach=False)

    def loss_of(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        p = torch.sigmoid(z)
        dice = 1 - (2 * (p * t).sum() + E) / (p.sum() + t.sum() + E)
        return dice + F.binary_cross_entropy_with_logits(z, t)

    def steps(count: int) -> None:
        for _ in range(count):
            before, after = (normalised(arrays[name], device) for name in ("before", "after"))
            y = torch.from_numpy(arrays["label"]).permute(0, 3, 1, 2).float().to(device)
            maps = net.maps(before, after)
            half = F.interpolate(y, scale_factor=0.5, mode="bilinear")
            loss = loss_of(maps.change, y) + 0.2 * (
                loss_of(maps.auxiliary[0], half) + loss_of(maps.auxiliary[1], half)
            )
            optimiser.zero_grad(set_to_none=False)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(net.parameters(), 20, foreach=False)
            optimiser.step()
            assert np.isfinite(loss.item())

    return steps


def our_steps(
    arguments: argparse.Namespace, arrays: Arrays, device: torch.device, precision: str, kind: str = "sgsln"
) -> Runs:
    """Take the steps of the engine, with a log at the end of each round."""
    parameters = TrainingParameters(
        encoder="none", encoder_weights=None, decoder_channels=8, crop=arguments.crop, batch=arguments.batch,
        lr=2e-4, momentum=0.9, weight_decay=1e-3, optimiser="adamw", schedule="constant", clip_norm=20.0,
        precision="bf16" if precision == "bf16" else "32", device=device.type, compile=arguments.compile,
        seed=0, checkpoint_every=10**9, log_every=10**9,
    )  # fmt: skip
    net, preset = network(kind, arguments.width), PRESETS["head"]
    task = ChangeTask(
        net,
        change_loss,
        Augmentation(net.config, 0.0, 0),
        preset,
        steps_per_epoch=10**9,
        validate=lambda _: 0.0,
    )
    return engine_steps(task, parameters, arrays, device)


def plain_predictions(arguments: argparse.Namespace, arrays: Arrays, device: torch.device) -> Runs:
    """Predict batch by batch and read each one back."""
    net = network("sgsln", arguments.width).to(device).eval()

    def predict(count: int) -> None:
        with torch.no_grad():
            for _ in range(count):
                before, after = (normalised(arrays[name], device) for name in ("before", "after"))
                changed = torch.sigmoid(net.maps(before, after).change) > 0.5
                found = changed.cpu().numpy()[:, 0] & (arrays["label"][..., 0] == 1)
                assert found.shape

    return predict


def our_predictions(
    arguments: argparse.Namespace, arrays: Arrays, device: torch.device, kind: str = "sgsln"
) -> Runs:
    """Score tiles as the stage's validation does."""
    net = network(kind, arguments.width).to(device).to(memory_format=torch.channels_last).eval()

    def predict(count: int) -> None:
        rows = np.tile(np.arange(arguments.batch), count)
        pixels = arguments.batch * arguments.crop**2
        Validation(arrays["before"], arrays["after"], arrays["label"], rows, pixels).f1(net)

    return predict


def seconds(run: Runs, count: int, device: torch.device) -> tuple[float, float]:
    """Return wall-clock and processor seconds per step or batch."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    wall, cpu = time.perf_counter(), time.process_time()
    run(count)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - wall) / count, (time.process_time() - cpu) / count


def table(title: str, variants: dict[str, Runs], arguments: argparse.Namespace, device: torch.device) -> None:
    for run in variants.values():
        run(2)  # kernels chosen, memory taken
    rounds = [
        {name: seconds(run, arguments.steps, device) for name, run in variants.items()}
        for _ in range(arguments.repeats)
    ]
    print(f"{title:24} {'seconds':>8} {'ratio':>6} {'CPU s':>8} {'by CPU':>7}")
    first = next(iter(variants))
    for name in variants:
        wall, cpu = (statistics.median(r[name][kind] for r in rounds) for kind in range(2))
        ratio, by_cpu = (
            statistics.median(r[first][kind] / r[name][kind] for r in rounds) for kind in range(2)
        )
        print(f"{name:24} {wall:8.4f} {ratio:6.2f} {cpu:8.4f} {by_cpu:7.2f}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", nargs="+", choices=("32", "bf16"), default=["32"])
    parser.add_argument("--compile", action="store_true", help="torch.compile ours (GPU only)")
    parser.add_argument("--steps", type=int, default=3, help="per round and variant (default 3)")
    parser.add_argument("--repeats", type=int, default=5, help="rounds (default 5)")
    parser.add_argument("--methods", action="store_true", help="compare the methods as well")
    arguments = parser.parse_args()
    device, arrays = torch.device(arguments.device), random_batch(arguments.crop, arguments.batch)
    print(
        f"width {arguments.width}, crop {arguments.crop}, batch {arguments.batch}, {device.type}, "
        f"{torch.get_num_threads()} thread(s), torch {torch.__version__}, {arguments.repeats} rounds of "
        f"{arguments.steps}"
    )
    ours = {f"ours, {p}": our_steps(arguments, arrays, device, p) for p in arguments.precision}
    table("training step", {"plain": plain_steps(arguments, arrays, device), **ours}, arguments, device)
    predictions = {
        "plain": plain_predictions(arguments, arrays, device),
        "ours": our_predictions(arguments, arrays, device),
    }
    table("batch of predictions", predictions, arguments, device)
    if arguments.methods:
        for kind in METHODS:
            count = sum(p.numel() for p in network(kind, arguments.width).parameters())
            print(f"{kind}: {count:,} parameters")
        precision = arguments.precision[0]
        steps = {kind: our_steps(arguments, arrays, device, precision, kind) for kind in METHODS}
        table("training step", steps, arguments, device)
        table(
            "batch of predictions",
            {k: our_predictions(arguments, arrays, device, k) for k in METHODS},
            arguments,
            device,
        )


if __name__ == "__main__":
    main()
