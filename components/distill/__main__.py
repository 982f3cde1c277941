"""``python -m components.distill --method M``: train a SAR network into ``models/sar/M``."""

from __future__ import annotations

import argparse
from pathlib import Path

from components.distill.parameters import DistillParameters, load_method_parameters
from components.distill.train import prepare_run
from components.lib.cli import run
from components.lib.config.loader import load_parameters
from components.lib.engine.device import use_threads
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.run import train_and_publish
from components.lib.methods.registry import load_method
from components.lib.store.store import Store
from components.lib.tracking.parameters import TrackingParameters


def main() -> None:
    """Train with the sections `training`, `distill`, `methods` and `tracking` of ``params.yaml``."""
    parser = argparse.ArgumentParser(
        prog="python -m components.distill",
        description="Train a SAR network on data/prepared, as params.yaml says (training, distill, methods).",
    )
    parser.add_argument(
        "--method",
        required=True,
        metavar="METHOD",
        help="a key of the section methods: none is the SAR-only control with the same budget; those that "
        "learn from a teacher need it in models/optical",
    )
    method = load_method(parser.parse_args().method)
    distill = load_parameters("distill", DistillParameters)
    parameters = load_method_parameters(method)
    training = load_parameters("training", TrainingParameters)
    tracking = load_parameters("tracking", TrackingParameters)
    use_threads(training)
    store = Store.open(Path("data/prepared"))
    metrics = train_and_publish(prepare_run(method, parameters, store, training, distill), tracking)
    print(f"distill {method.name}: selection IoU {metrics['iou']:.3f} after {metrics['steps']} steps")


if __name__ == "__main__":
    run(main)
