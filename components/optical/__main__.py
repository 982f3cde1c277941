"""``python -m components.optical --kind K``: train a teacher into ``models/optical/K``."""

from __future__ import annotations

import argparse
from pathlib import Path

from components.lib.cli import run
from components.lib.config.loader import load_parameters
from components.lib.engine.device import use_threads
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.run import train_and_publish
from components.lib.methods.registry import load_teacher
from components.lib.store.store import Store
from components.lib.tracking.parameters import TrackingParameters
from components.optical.parameters import OpticalParameters
from components.optical.train import DEFAULT_KIND, prepare_run


def main() -> None:
    """Train with the sections `training`, `optical` and `tracking` of ``params.yaml``."""
    parser = argparse.ArgumentParser(
        prog="python -m components.optical",
        description="Train an optical teacher on data/prepared, as params.yaml says (training, optical).",
    )
    parser.add_argument(
        "--kind",
        default=DEFAULT_KIND,
        metavar="KIND",
        help=f"kind of its network, by default {DEFAULT_KIND}, which most methods need",
    )
    teacher = load_teacher(parser.parse_args().kind)
    optical = load_parameters("optical", OpticalParameters)
    training = load_parameters("training", TrainingParameters)
    tracking = load_parameters("tracking", TrackingParameters)
    use_threads(training)
    store = Store.open(Path("data/prepared"))
    metrics = train_and_publish(prepare_run(teacher, store, training, optical), tracking)
    print(f"optical {teacher.kind}: selection IoU {metrics['iou']:.3f} after {metrics['steps']} steps")


if __name__ == "__main__":
    run(main)
