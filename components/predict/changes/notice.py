"""Page at the fixed address of a map's changes, which leads to them or says why there are none."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from components.lib.catalogue.changes import NOTICE, MapChanges
from components.lib.catalogue.documents import Document
from components.predict.outputs.page import environment, policy_of

PENDING: Final = "This map has not been compared with an earlier one yet."
NO_EARLIER: Final = "No earlier map shows this ground, so there is nothing to compare this one with."


def write_notice(
    changes: MapChanges,
    map_item: Document,
    words: str,
    *,
    of: Document | None = None,
    only_first: bool = False,
) -> None:
    """Write the page, unless it is there already.

    Args:
        changes: Changes of the maps of a catalogue.
        map_item: STAC item of the map.
        words: Sentence of the page.
        of: STAC item of the changes, which the page leads to.
        only_first: Leave another page that is there.
    """
    map_id = str(map_item["id"])
    style = environment().get_template("notice.css").render()
    page = None if of is None else str(of["assets"]["page"]["href"])
    html = (
        environment()
        .get_template("notice.html.j2")
        .render(
            title=map_item["properties"].get("stormsight:acquisition") or map_id,
            words=words,
            changes=page,
            map=changes.page_address(map_item, of=f"{changes.folder(map_id)}{NOTICE}"),
            policy=policy_of(style, (), beside=False),
            style=Markup(style),  # noqa: S704 - our own style sheet
        )
    )
    changes.write_notice(map_id, html, only_first=only_first)
