"""Command line: draw the report."""

from __future__ import annotations

import argparse

from components.lib.cli import run
from components.lib.config.loader import load_parameters
from components.report.parameters import ReportParameters


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and draw the report."""
    parser = argparse.ArgumentParser(
        prog="python -m components.report",
        description="Draw reports/evaluate/report from what `python -m components.evaluate` left.",
    )
    parser.parse_args(arguments)
    parameters = load_parameters("report", ReportParameters)
    # After the parameters: a typo in them is reported at once, not when Matplotlib is loaded.
    from components.report.stage import ReportPaths, make_report  # noqa: PLC0415

    make_report(parameters, ReportPaths())


if __name__ == "__main__":
    run(main)
