"""``python -m components.optical``: train the teacher into ``models/optical``."""

from __future__ import annotations

import argparse
from pathlib import Path

from components.lib.cli import run
from components.lib.config.loader import load_parameters
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.ranks import ranks
from components.lib.engine.stage import train_and_publish
from components.lib.store.store import Store
from components.lib.tracking.parameters import TrackingParameters
from components.optical.parameters import OpticalParameters
from components.optical.train import batch_of, kinds_to_train, prepare_run


def main() -> None:
    """Train with the sections `training`, `optical` and `tracking` of ``params.yaml``."""
    argparse.ArgumentParser(
        prog="python -m components.optical",
        description="Train the optical teacher on data/prepared, as params.yaml says (training, optical).",
    ).parse_args()
    optical = load_parameters("optical", OpticalParameters)
    training = batch_of(load_parameters("training", TrainingParameters), optical)
    tracking = load_parameters("tracking", TrackingParameters)
    store = Store.open(Path("data/prepared"))
    for kind in kinds_to_train(optical, ranks().world):
        run_ = prepare_run(store, training, optical, kind)
        metrics = train_and_publish(run_, training, tracking)
        print(f"{run_.name}: selection IoU {metrics['iou']:.3f} after {metrics['steps']} steps")


if __name__ == "__main__":
    run(main)
