"""``python -m components.distill --method M``: train a SAR network into ``models/sar/M``."""

from __future__ import annotations

import argparse
from pathlib import Path

from components.distill.parameters import METHODS, DistillParameters, checked_method, training_of
from components.distill.train import prepare_run
from components.lib.cli import run
from components.lib.config.loader import load_parameters
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.stage import train_and_publish
from components.lib.store.store import Store
from components.lib.tracking.parameters import TrackingParameters


def main() -> None:
    """Train with the sections `training`, `distill` and `tracking` of ``params.yaml``."""
    parser = argparse.ArgumentParser(
        prog="python -m components.distill",
        description="Train a SAR network on data/prepared, as params.yaml says (training, distill).",
    )
    parser.add_argument(
        "--method",
        required=True,
        metavar="METHOD",
        help=f"one of {', '.join(METHODS)}: none is the SAR-only control with the same budget; the others "
        "need the teacher in models/optical",
    )
    method = checked_method(parser.parse_args().method)
    distill = load_parameters("distill", DistillParameters)
    training = training_of(method, load_parameters("training", TrainingParameters), distill)
    tracking = load_parameters("tracking", TrackingParameters)
    store = Store.open(Path("data/prepared"))
    metrics = train_and_publish(prepare_run(method, store, training, distill), training, tracking)
    print(f"distill {method}: selection IoU {metrics['iou']:.3f} after {metrics['steps']} steps")


if __name__ == "__main__":
    run(main)
