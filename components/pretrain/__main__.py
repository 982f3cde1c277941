"""``python -m components.pretrain --kind K``: pre-train a teacher into ``models/pretrain/K``."""

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
from components.pretrain.parameters import PretrainParameters
from components.pretrain.train import prepare_run


def main() -> None:
    """Train with the sections `training`, `pretrain` and `tracking` of ``params.yaml``."""
    parser = argparse.ArgumentParser(
        prog="python -m components.pretrain",
        description="Train an optical teacher on the masks of data/osm, as params.yaml says (training, "
        "pretrain); optical.start: pretrain lets stage optical start from it.",
    )
    parser.add_argument("--kind", required=True, metavar="KIND", help="kind of its network")
    teacher = load_teacher(parser.parse_args().kind)
    pretrain = load_parameters("pretrain", PretrainParameters)
    training = load_parameters("training", TrainingParameters)
    tracking = load_parameters("tracking", TrackingParameters)
    use_threads(training)
    store = Store.open(Path("data/prepared"))
    metrics = train_and_publish(prepare_run(teacher, store, training, pretrain), tracking)
    scored = (
        f"lowest loss {metrics['loss']:.3f}" if "loss" in metrics else f"selection IoU {metrics['iou']:.3f}"
    )
    print(f"pretrain {teacher.kind}: {scored} after {metrics['steps']} steps")


if __name__ == "__main__":
    run(main)
