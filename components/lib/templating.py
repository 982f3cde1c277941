"""Environment of the templates of HTML pages: escaped by default, strict about names."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def html_environment(folder: Path) -> Environment:
    """Return the environment of the templates in ``folder``.

    Values are escaped unless they are marked as safe, and an undefined name is an error.
    """
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
