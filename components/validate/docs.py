"""Finish of the data docs: self-contained pages behind a front page with the verdict.

Great Expectations' pages load styles, scripts and a logo from other hosts, the logo with an id of the project
in its address; off-line they are blank or unstyled. What the pages say is kept, everything they would fetch
or run is taken out, and a policy in each page forbids the rest, whatever a file name in the data may contain.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from components.lib.templating import html_environment

TEMPLATES = Path(__file__).parent / "templates"

POLICY = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
)
"""Nothing is fetched, no script runs."""

COUNTS = {
    "tiles": "Tiles",
    "strips": "Strips",
    "quarantined": "Quarantined",
    "label_count": "Buildings",
    "label_repaired": "Repaired",
    "label_empty": "Empty",
    "label_zero_bytes": "Label files of 0 bytes",
    "label_missing": "Without label file",
}
"""Columns of the table of sensors: title by key of the verdict."""

_ACTIVE = re.compile(
    r"<script\b.*?</script\s*>|<link\b[^>]*>|<img\b[^>]*>|<footer\b.*?</footer\s*>|<style\b.*?</style\s*>",
    re.DOTALL | re.IGNORECASE,
)


def finish_docs(docs: Path, verdict: dict[str, Any], quarantine: pd.DataFrame) -> None:
    """Make the rendered pages in ``docs`` self-contained and write the front page over theirs.

    Args:
        docs: Folder that the data docs were rendered into.
        verdict: Content of ``verdict.json``.
        quarantine: The quarantine list.
    """
    style = (TEMPLATES / "docs.css").read_text(encoding="utf-8")
    shutil.rmtree(docs / "static", ignore_errors=True)
    for page in docs.rglob("*.html"):
        page.write_text(self_contained(page.read_text(encoding="utf-8"), style), encoding="utf-8")
    front = (
        html_environment(TEMPLATES)
        .get_template("index.html.j2")
        .render(
            policy=Markup(POLICY),  # noqa: S704 - our constant
            style=Markup(style),  # noqa: S704 - our file
            verdict=verdict,
            counts=COUNTS,
            quarantine=quarantine.to_dict("records"),
            pages=_result_pages(docs),
        )
    )
    (docs / "index.html").write_text(front, encoding="utf-8")


def self_contained(page: str, style: str) -> str:
    """Return ``page`` without scripts, pictures, remote styles and advertisement, with our ``style``."""
    head = f"<head>\n{POLICY}\n<style>{style}</style>"
    return _ACTIVE.sub("", page).replace("<head>", head, 1)


def _result_pages(docs: Path) -> dict[str, str]:
    """Return the relative address of each suite's result page, by suite."""
    pages = sorted(docs.glob("validations/**/*.html"))
    return {page.relative_to(docs).parts[1]: page.relative_to(docs).as_posix() for page in pages}
