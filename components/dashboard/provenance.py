"""Provenance: model, data, parameters, code and image behind a run, a model or a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.dashboard.index import Version
from components.dashboard.maps import KnownMap, text_at
from components.dashboard.words import NONE
from components.lib.history.facts import RunFacts

NAMED = 12
"""Names of a list that are shown; the others are counted."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One row of a provenance table.

    Attributes:
        label: What it is.
        values: Hashes or names; none if nothing kept it.
        page: Address of a page about it, relative to the site; empty without one.
        words: Plain words beside the values.
        missing: What stands in place of values that nothing kept.
    """

    label: str
    values: Sequence[str]
    page: str = ""
    words: str = ""
    missing: str = NONE


def of_run(run: RunFacts) -> list[Fact]:
    """Return what a run was made from."""
    return [
        _acquisitions(run.acquisitions),
        Fact(
            "Parameters",
            _known(run.params),
            words=f"profile {run.profile}" if run.profile else "",
            missing="hash not recorded," if run.profile else NONE,
        ),
        Fact("Code", _known(run.code)),
        Fact("Image", _images(run)),
        Fact("Training key", _known(run.key)),
    ]


def of_model(version: Version, run_page: str | None) -> list[Fact]:
    """Return what a version was made from, by its decision and its run."""
    judged, run = version.judged, version.run
    stated = {} if judged is None else judged.decision.get("sha256", {})
    sha256 = stated if isinstance(stated, Mapping) else {}
    named = () if judged is None else judged.decision.get("acquisitions", ())
    acquisitions = [str(name) for name in named] if isinstance(named, list) else []
    return [
        Fact("Run", [] if run is None else [run.run], page=f"run/{run_page}.html" if run_page else ""),
        _acquisitions(acquisitions),
        Fact("Prepared data", _text(sha256, "data")),
        Fact("Parameters", _text(sha256, "params")),
        Fact("Code", _text(sha256, "code")),
        Fact("Image", [] if run is None else _images(run)),
        Fact("Weights", _text(sha256, "weights")),
        Fact("Decision", _known(version.decision_sha256)),
    ]


def of_map(known: KnownMap, item: Mapping[str, Any], model_page: str | None) -> list[Fact]:
    """Return what a map was made from, by its item."""
    properties = item.get("properties", {})
    sources = properties.get("stormsight:sources", [])
    names = [text_at(one, "name") for one in sources if isinstance(one, Mapping)]
    more = len(names) - NAMED
    entry = known.entry
    return [
        Fact(
            "Model",
            [" version ".join(filter(None, (entry.model, entry.version)))] if entry.model else [],
            page=f"model/{model_page}.html" if model_page else "",
            words="" if model_page or not entry.model else "not promoted, or not known here",
        ),
        Fact("Weights", _known(text_at(properties, "stormsight:model", "weights_sha256"))),
        Fact("Data", names[:NAMED], words=f"and {more} more files" if more > 0 else ""),
        Fact("Parameters", _known(text_at(properties, "stormsight:parameters_sha256"))),
        Fact("Code", _known(text_at(properties, "processing:software", "stormsight"))),
        Fact("Image", [text_at(properties, "stormsight:image") or "local"]),
    ]


def _acquisitions(names: Sequence[str]) -> Fact:
    return Fact("Data", names, words="acquisitions" if names else "")


def _images(run: RunFacts) -> list[str]:
    return sorted({stage.image for stage in run.stages.values()})


def _known(value: str) -> list[str]:
    return [value] if value else []


def _text(values: Mapping[str, object], name: str) -> list[str]:
    found = values.get(name)
    return [found] if isinstance(found, str) and found else []
