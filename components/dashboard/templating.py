"""Templates of the pages: escaped by default, strict about names, with one style sheet and no script."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment

from components.dashboard import words
from components.dashboard.decisions import checks_of, sensors_of
from components.lib.templating import html_environment

TEMPLATES = Path(__file__).parent / "templates"

STYLE = (TEMPLATES / "style.css").read_text(encoding="utf-8")

POLICY = "default-src 'none'; img-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'"
"""Content security policy: this site's pictures and style sheet, nothing else."""


def environment() -> Environment:
    """Return the environment of the templates."""
    found = html_environment(TEMPLATES)
    for name in ("when", "duration", "score", "percent", "short", "counted", "effect"):
        found.filters[name] = getattr(words, name)
    found.filters |= {"checks": checks_of, "sensors": sensors_of}
    found.globals["policy"] = POLICY
    return found
