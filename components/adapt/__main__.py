"""``python -m components.adapt``."""

from __future__ import annotations

import argparse

from components.adapt.parameters import AdaptParameters
from components.lib.cli import run
from components.lib.config.loader import load_parameters


def main() -> None:
    """Read the parameters and adapt."""
    argparse.ArgumentParser(
        prog="python -m components.adapt",
        description="Adapt models/sar/<adapt.start_from> to the unlabelled sensor adapt.target by per-sensor "
        "normalisation and class-balanced self-training; writes models/adapted and reports/adapt. The "
        "target's labels are never read in training, only for the scores in the report. Everything is set "
        "in params.yaml (sections adapt, training, tracking).",
    ).parse_args()
    adapt_section = load_parameters("adapt", AdaptParameters)
    # Imported after the help and the parameters: torch takes seconds to load.
    from components.adapt.adapt import adapt  # noqa: PLC0415
    from components.lib.engine.parameters import TrainingParameters  # noqa: PLC0415
    from components.lib.tracking.parameters import TrackingParameters  # noqa: PLC0415

    adapt(
        adapt_section,
        load_parameters("training", TrainingParameters),
        load_parameters("tracking", TrackingParameters),
    )


if __name__ == "__main__":
    run(main)
