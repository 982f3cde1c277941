"""``python -m components.change --method M``: train a change method into ``models/change/M``."""

from __future__ import annotations

import argparse
from pathlib import Path

from components.change.parameters import ChangeParameters
from components.change.train import prepare_run
from components.lib.change.store.store import PairStore
from components.lib.cli import run
from components.lib.config.loader import load_parameters
from components.lib.engine.device import use_threads
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.run import train_and_publish
from components.lib.methods.registry import load_change
from components.lib.tracking.parameters import TrackingParameters

PAIRS = Path("data/pairs")


def main() -> None:
    """Train with the sections `training`, `change`, `methods` and `tracking` of ``params.yaml``."""
    parser = argparse.ArgumentParser(
        prog="python -m components.change",
        description="Train a change method on data/pairs/<data set>, as params.yaml says (training, change, "
        "methods).",
    )
    parser.add_argument("--method", required=True, metavar="METHOD", help="a change method: sgsln, ...")
    method = load_change(parser.parse_args().method)
    change = load_parameters("change", ChangeParameters)
    parameters = load_parameters(f"methods.{method.name}", method.parameters)
    training = load_parameters("training", TrainingParameters)
    tracking = load_parameters("tracking", TrackingParameters)
    use_threads(training)
    store = PairStore.open(PAIRS / change.data_set)
    prepared = prepare_run(method, parameters, store, training, change.training)
    metrics = train_and_publish(prepared, tracking)
    word = ", simulated" if prepared.simulated else ""
    print(f"change {method.name}: validation F1 {metrics['f1']:.3f} after {metrics['steps']} steps{word}")


if __name__ == "__main__":
    run(main)
