"""Seconds per training step of PP-LinkNet: a plain 32-bit loop against the engine's step.

    python -m tests.benchmarks.bench_pp_linknet [--encoder resnet34] [--crop 256] [--batch 2] [--device cpu]
        [--precision 32 bf16] [--steps 3] [--repeats 5]

The plain loop is written from the method's description (reference adaptation 2.2 to 2.4): the same layers,
contiguous tensors in 32 bits, the loss as the formula stands, Adam parameter by parameter, gradients set to
zero, one loss read back per step. Ours is what ``fit`` does per step of an optical teacher, AdamW without
decay. All variants alternate in one run; ratios are medians of the ratios within a round, of wall-clock and
of processor time. Loading and augmentation are in neither.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from components.lib.engine.focal import FocalTask
from components.lib.engine.parameters import TrainingParameters
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.nets.network import SegmentationNetwork
from tests.benchmarks.bench_change import Arrays, Runs, table
from tests.benchmarks.engine_steps import engine_steps

RATE = 2e-4


def network(encoder: str) -> SegmentationNetwork:
    torch.manual_seed(0)
    config = NetworkConfig(kind="pp_linknet", encoder=encoder, modality="optical", sensors=("random",))
    return build_network(config)


def random_batch(crop: int, batch: int) -> Arrays:
    image = np.random.default_rng(0).integers(1, 256, (batch, crop, crop, 4), dtype=np.uint8)
    return {"optical": image, "target": (image[..., :1] > 200).astype(np.uint8)}


def plain_steps(arguments: argparse.Namespace, arrays: Arrays, device: torch.device) -> Runs:
    """The loop of the description, nothing tuned."""
    net = network(arguments.encoder).to(device).train()
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE, foreach=False)

    def steps(count: int) -> None:
        for _ in range(count):
            x, t = (
                torch.from_numpy(arrays[name]).permute(0, 3, 1, 2).contiguous().float().to(device)
                for name in ("optical", "target")
            )
            z = net(x)[:, 1:]
            p = torch.sigmoid(z)
            p_t = p * t + (1 - p) * (1 - t)
            w = (0.25 * t + 0.75 * (1 - t)) * (1 - p_t) ** 0.5
            loss = (w.detach() * F.binary_cross_entropy_with_logits(z, t, reduction="none")).mean()
            optimiser.zero_grad(set_to_none=False)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            assert np.isfinite(loss.item())

    return steps


def our_steps(arguments: argparse.Namespace, arrays: Arrays, device: torch.device, precision: str) -> Runs:
    """Take the steps of the engine, with a log at the end of each round."""
    parameters = TrainingParameters(
        encoder=arguments.encoder, encoder_weights=None, decoder_channels=8, crop=arguments.crop,
        batch=arguments.batch, lr=RATE, momentum=0.9, weight_decay=0.0, optimiser="adamw", schedule="plain",
        precision="bf16" if precision == "bf16" else "32", device=device.type, seed=0,
        checkpoint_every=10**9, log_every=10**9,
    )  # fmt: skip
    task = FocalTask(network(arguments.encoder))
    return engine_steps(task, parameters, arrays, device)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--encoder", default="resnet34")
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", nargs="+", choices=("32", "bf16"), default=["32"])
    parser.add_argument("--steps", type=int, default=3, help="per round and variant (default 3)")
    parser.add_argument("--repeats", type=int, default=5, help="rounds (default 5)")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    arrays = random_batch(arguments.crop, arguments.batch)
    variants = {"plain": plain_steps(arguments, arrays, device)}
    for precision in arguments.precision:
        variants[f"ours, {precision}"] = our_steps(arguments, arrays, device, precision)
    print(
        f"{arguments.encoder}, crop {arguments.crop}, batch {arguments.batch}, {device.type}, "
        f"{torch.get_num_threads()} thread(s), torch {torch.__version__}"
    )
    table("training", variants, arguments, device)


if __name__ == "__main__":
    main()
