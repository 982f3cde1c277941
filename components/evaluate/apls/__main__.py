"""Command line: score proposed road graphs against true ones.

``python -m components.evaluate apls`` is the same command.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import get_args

from components.lib.cli import run
from components.lib.roads.apls.rules import PIXEL_M, Definition


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and score."""
    options = _parser().parse_args(arguments)
    # Heavy imports stay inside the command: a typo is told at once.
    from components.evaluate.apls.command import Choices, score_files  # noqa: PLC0415
    from components.evaluate.apls.text import as_text  # noqa: PLC0415

    choices = Choices(definition=options.definition, mode=options.mode, given_pixel_m=options.pixel_m)
    document = score_files(options.truth, options.proposal, choices)
    for warning in document["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    print(json.dumps(document) if options.json else as_text(document))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m components.evaluate apls",
        description="Average path length similarity (APLS) of road graphs, with TOPO and relaxed precision, "
        "recall and IoU beside it. Two GeoJSON files of lines, in any CRS, or two CSVs with ImageId and "
        "WKT_Pix (LINESTRING EMPTY for an image without roads). The definitions give different numbers: "
        "java is the official scorer of SpaceNet 3, cosmiq the package CosmiQ/apls.",
    )
    parser.add_argument("--truth", type=Path, required=True, metavar="FILE", help="true roads")
    parser.add_argument("--proposal", type=Path, required=True, metavar="FILE", help="proposed roads")
    parser.add_argument(
        "--definition", choices=get_args(Definition), required=True, help="definition of APLS"
    )
    parser.add_argument(
        "--mode",
        choices=("strict", "tolerant"),
        default="tolerant",
        help="strict refuses every fault, listed; tolerant repairs the proposal's and counts them, and with "
        "cosmiq the truth's (%(default)s)",
    )
    parser.add_argument(
        "--pixel-m",
        type=float,
        metavar="M",
        help=f"size of a pixel, metres; java counts in pixels, and snaps within 12.9 of them ({PIXEL_M:g})",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    return parser


if __name__ == "__main__":
    run(main)
