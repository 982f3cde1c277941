"""One self-contained folder: ``index.html``, its pictures, relative links, nothing fetched, no script."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from components.lib.files import write_text
from components.lib.report.content import Gallery, PlotsContent, ReportContent
from components.lib.report.panels import save_png
from components.lib.templating import html_environment

TEMPLATES = Path(__file__).parent / "templates"


def write_report(folder: Path, report: ReportContent, *, side_px: int = 480) -> None:
    """Write ``report`` into ``folder``.

    Args:
        folder: An empty or new folder; the caller makes it appear whole (``atomic_directory``).
        report: Content of the page.
        side_px: Largest side of a tile picture, pixels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    galleries = [_write_pictures(folder, k, gallery, side_px) for k, gallery in enumerate(report.galleries)]
    _render(folder, "report.html.j2", report=report, galleries=galleries)


def write_plots(folder: Path, plots: PlotsContent) -> None:
    """Write the page of plots into ``folder``, which holds their pictures already."""
    _render(folder, "plots.html.j2", plots=plots)


def _render(folder: Path, template: str, **content: object) -> None:
    """Write ``index.html`` from a template that takes ``style``, ``policy`` and ``content``."""
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    trusted = Markup(style)  # noqa: S704 - our own style sheet
    html = _environment().get_template(template).render(style=trusted, policy=_policy(style), **content)
    write_text(folder / "index.html", html)


def _write_pictures(folder: Path, number: int, gallery: Gallery, side_px: int) -> dict[str, object]:
    """Write a gallery's pictures under names of our own (tile names come from outside)."""
    tiles = []
    for t, tile in enumerate(gallery.tiles):
        panels = []
        for p, panel in enumerate(tile.panels):
            name = f"tiles/{number + 1}-{t + 1:02d}-{p + 1:02d}.png"
            save_png(folder / name, panel.picture, side=side_px)
            height, width = panel.picture.shape[:2]
            panels.append({"panel": panel, "path": name, "width": width, "height": height})
        tiles.append({"tile": tile, "panels": panels})
    return {"gallery": gallery, "tiles": tiles}


def _environment() -> Environment:
    environment = html_environment(TEMPLATES)
    environment.filters["signed"] = signed
    return environment


def signed(value: float) -> str:
    """Return three decimals with a typographic sign; zero has none."""
    text = f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")
    return text[1:] if text.endswith("0.000") else text


def _policy(style: str) -> str:
    """Return the content security policy: this folder's pictures, this one style sheet, nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    own = f"img-src 'self'; style-src 'sha256-{digest}'"
    return f"default-src 'none'; {own}; base-uri 'none'; form-action 'none'"
