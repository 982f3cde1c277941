"""Scores of road graphs as lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def as_text(document: Mapping[str, Any]) -> str:
    """Return the scores of :func:`components.evaluate.apls.command.score_files` as lines."""
    topo, relaxed = document["topo"], document["relaxed"]
    length, area = relaxed["length"], relaxed["area"]
    names = {"apls": "APLS", "truth_onto_proposal": "truth onto proposal"}
    names |= {"proposal_onto_truth": "proposal onto truth"}
    rows = [f"{words:<22}{document[name]:>8.4f}" for name, words in names.items()]
    within = f"within {relaxed['tolerance_m']:g} m"
    return "\n".join(
        [
            *rows,
            f"TOPO: precision {_number(topo['precision'])}, recall {_number(topo['recall'])}, "
            f"F1 {_number(topo['f1'])}",
            f"{within}, by length: precision {_number(length['precision'])}, "
            f"recall {_number(length['recall'])}",
            f"{within}, by area: precision {_number(area['precision'])}, recall {_number(area['recall'])}, "
            f"IoU {_number(area['iou'])}",
            f"definition {document['definition']}, input {document['mode']}, {document['coordinates']}",
        ]
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
