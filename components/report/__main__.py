"""Command line: draw the report, or the page of plots."""

from __future__ import annotations

import argparse
from pathlib import Path

from components.lib.cli import run
from components.lib.config.loader import load_parameters
from components.report.parameters import ReportParameters


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and draw the page."""
    parser = argparse.ArgumentParser(
        prog="python -m components.report",
        description="Draw reports/evaluate/report from what `python -m components.evaluate` left.",
    )
    parser.add_argument(
        "what",
        nargs="?",
        choices=("report", "plots"),
        default="report",
        help="plots: draw all terms of the training curves and the slices, into reports/plots",
    )
    options = parser.parse_args(arguments)
    if options.what == "plots":
        from components.report.plots import make_plots  # noqa: PLC0415 - see below

        make_plots(Path("reports"))
        return
    parameters = load_parameters("report", ReportParameters)
    # After the parameters: a typo in them is reported at once, not when Matplotlib is loaded.
    from components.report.stage import ReportPaths, make_report  # noqa: PLC0415

    make_report(parameters, ReportPaths())


if __name__ == "__main__":
    run(main)
