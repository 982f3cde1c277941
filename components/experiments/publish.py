"""Writing the evidence: numbers, tables and pictures in one folder, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from components.experiments.plots import draw_all
from components.experiments.results import Row
from components.experiments.table import markdown
from components.lib.files import atomic_directory, write_json, write_text


def write_evidence(folder: Path, evidence: Row) -> None:
    """Write ``evidence.json``, ``table.md`` and the pictures, in place of what ``folder`` held."""
    with atomic_directory(folder) as temporary:
        write_json(temporary / "evidence.json", evidence)
        pictures = draw_all(temporary, evidence)
        shown = "".join(f"![{path.stem}]({path.name})\n\n" for path in pictures)
        write_text(temporary / "table.md", f"{markdown(evidence)}\n{shown}".rstrip() + "\n")
