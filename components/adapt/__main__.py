"""``python -m components.adapt``: adapt ``models/sar/<start_from>`` into ``models/adapted``."""

from __future__ import annotations

import argparse
from pathlib import Path

from components.adapt.parameters import AdaptParameters
from components.lib.cli import run
from components.lib.config.loader import load_parameters


def main() -> None:
    """Adapt with the sections `training`, `adapt` and `tracking` of ``params.yaml``."""
    argparse.ArgumentParser(
        prog="python -m components.adapt",
        description="Adapt models/sar/<adapt.start_from> to the unlabelled sensor adapt.target by per-sensor "
        "normalisation and class-balanced self-training; writes models/adapted and reports/adapt. The "
        "target's labels are never read in training, only for the scores in the report. Everything is set "
        "in params.yaml (sections adapt, training, tracking).",
    ).parse_args()
    adapt = load_parameters("adapt", AdaptParameters)
    # Imported after the help and the parameters: torch takes seconds to load.
    from components.adapt.train import prepare_run, publish_unchanged  # noqa: PLC0415
    from components.lib.engine.device import use_threads  # noqa: PLC0415
    from components.lib.engine.parameters import TrainingParameters  # noqa: PLC0415
    from components.lib.engine.run import train_and_publish  # noqa: PLC0415
    from components.lib.store.store import Store  # noqa: PLC0415
    from components.lib.tracking.parameters import TrackingParameters  # noqa: PLC0415

    if adapt.target is None:
        publish_unchanged(adapt)
        return
    training = load_parameters("training", TrainingParameters)
    tracking = load_parameters("tracking", TrackingParameters)
    use_threads(training)
    store = Store.open(Path("data/prepared"))
    metrics = train_and_publish(prepare_run(store, training, adapt), tracking)
    print(f"adapt: {metrics['start_from']} adapted to {metrics['target']} in {metrics['steps']} steps")


if __name__ == "__main__":
    run(main)
