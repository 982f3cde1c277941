"""params.yaml and the models of its sections describe the same parameters."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import BaseModel

from components.contract.parameters import SECTIONS, merged
from tests.parameter_documents import (
    ROOT,
    Comment,
    Leaf,
    choices,
    comments,
    described_fields,
    document,
    fields_of,
    leaves,
    nested_models,
    plain,
    section_models,
    value_at,
)

BASE = document()
MODELS = section_models()
COMMENTS = comments((ROOT / "params.yaml").read_text("utf-8"))
LEAVES = [leaf for name, models in MODELS.items() for leaf in leaves(name, value_at(name, BASE), models)]

WITHOUT_MODEL = {"acquisitions", "partitions"}
"""A list of names, checked against the catalogue, and a number."""

DESCRIBED_ONCE = {"epochs": "optical.epochs", "crops_per_tile": "optical.epochs"}
"""Keys that mean the same in every section that has them, and where that is said."""

NOT_IN_THE_FILE = {
    "optical.batch": "only the real release's profile has another batch than training.batch",
    **{
        f"methods.{name}.{key}": "a method has it where it differs from the default"
        for name in BASE.get("methods", {})
        for key in ("lr", "output")
    },
}
"""Fields that stand in no profile or only in some, with the reason."""

UNITS = {
    "px": ("length", "pixel"),
    "m": ("length", "metre"),
    "m2": ("length", "m2|square metre"),
    "mib": ("bytes", "MiB"),
    "s": ("time", "second"),
    "h": ("time", "hour"),
    "days": ("time", "day"),
}
DIMENSIONS = {
    "length": r"pixels?|metres?|m2|kilometres?",
    "bytes": r"[KMG]i?B",
    "time": r"seconds?|minutes?|hours?|days?",
}


def words_of(leaf: Leaf) -> Comment:
    return COMMENTS.get(leaf.name, Comment("", ""))


def by_name(leaf: Leaf) -> str:
    return leaf.name


def test_every_section_has_a_model() -> None:
    known = {name.split(".")[0] for name in MODELS} | WITHOUT_MODEL
    assert known == set(SECTIONS)
    assert set(BASE) == {*SECTIONS, "profile", "profiles"}


@pytest.mark.parametrize("leaf", LEAVES, ids=by_name)
def test_every_key_is_a_field_of_its_model(leaf: Leaf) -> None:
    assert leaf.field is not None, f"{leaf.name} is in params.yaml, and its model has no such field"


@pytest.mark.parametrize("profile", [None, *BASE["profiles"]])
def test_every_profile_fits_the_models(profile: str | None) -> None:
    overlay = {} if profile is None else BASE["profiles"][profile]
    for name, models in MODELS.items():
        section, _, inner = name.partition(".")
        value: Any = merged(BASE[section], overlay.get(section, {}))
        for model in models:
            model.model_validate(value[inner] if inner else value)


@pytest.mark.parametrize("name", MODELS)
def test_every_field_is_in_the_file(name: str) -> None:
    written = {leaf.name for leaf in LEAVES if leaf.name.startswith(f"{name}.")}
    section, _, inner = name.partition(".")
    for overlay in BASE["profiles"].values():
        changes = overlay.get(section) or {}
        changes = changes.get(inner, {}) if inner else changes
        written |= {leaf.name for leaf in leaves(name, changes, MODELS[name])}
    missing = {
        f"{name}.{field}"
        for field in fields_of(MODELS[name])
        if not any(w == f"{name}.{field}" or w.startswith(f"{name}.{field}.") for w in written)
    }
    assert missing <= set(NOT_IN_THE_FILE)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "orchestration"])
def test_models_describe_their_fields_and_nothing_else(name: str) -> None:
    """The model of ``orchestration`` says that the comments in params.yaml are its description."""
    for model in nested_models(MODELS[name]):
        fields, described = set(model.model_fields), described_fields(model)
        inner = {f for f in fields if _is_model(plain(model.model_fields[f].annotation))}
        assert fields - inner <= described, f"{model.__name__} describes every field"
        # A model may read a part of what its base describes, never describe what nobody reads.
        assert described <= fields, f"{model.__name__} describes no field that it lacks"


@pytest.mark.parametrize("leaf", LEAVES, ids=by_name)
def test_every_parameter_has_a_comment(leaf: Leaf) -> None:
    elsewhere = COMMENTS.get(DESCRIBED_ONCE.get(leaf.name.rpartition(".")[2], ""), Comment("", ""))
    assert words_of(leaf).text or elsewhere.text, f"say in params.yaml what {leaf.name} is, with its unit"


@pytest.mark.parametrize("leaf", [leaf for leaf in LEAVES if leaf.field], ids=by_name)
def test_choices_in_the_comment_are_those_of_the_model(leaf: Leaf) -> None:
    allowed = set(choices(leaf.field.annotation))
    if not allowed or leaf.name.startswith("orchestration."):
        return
    said = words_of(leaf).own
    values = leaf.value if isinstance(leaf.value, list) else [leaf.value]
    named = set(re.findall(r"[\w-]+", said)) | {str(value) for value in values}
    assert allowed <= named, f"{leaf.name} allows {sorted(allowed)}; its comment says: {said}"
    for alternative in said.split("|")[1:]:
        first = re.match(r"\s*([\w-]+)", alternative)
        assert first is not None
        assert first[1] in allowed, f"{leaf.name} does not allow {first[1]}"


@pytest.mark.parametrize("leaf", LEAVES, ids=by_name)
def test_units_in_the_comment_are_those_of_the_name(leaf: Leaf) -> None:
    suffix = leaf.name.rpartition("_")[2]
    if suffix not in UNITS or "_" not in leaf.name.rpartition(".")[2]:
        return
    dimension, unit = UNITS[suffix]
    said = words_of(leaf).text
    if re.search(rf"\b(?:{DIMENSIONS[dimension]})\b", said):
        assert re.search(rf"\b(?:{unit})", said), f"{leaf.name} is in {unit}; its comment says: {said}"


@pytest.mark.parametrize("leaf", [leaf for leaf in LEAVES if leaf.field], ids=by_name)
def test_ranges_in_the_comment_are_those_of_the_model(leaf: Leaf) -> None:
    bounds = {
        kind: getattr(rule, kind)
        for rule in leaf.field.metadata
        for kind in ("ge", "le")
        if hasattr(rule, kind)
    }
    said = re.search(r"\b(\d[\d.]*) to (\d[\d.]*)\b", words_of(leaf).own)
    if said is not None and {"ge", "le"} <= set(bounds) and isinstance(leaf.value, int | float):
        assert (float(said[1]), float(said[2])) == (bounds["ge"], bounds["le"]), leaf.name


def test_comments_are_read_from_the_file() -> None:
    """The comparison above is worth nothing if comments are not found."""
    lines = ["a: 1  # of a", "", "# about b", "b:", '  c: "#no"   # c', f"{' ':30}# and more", "  d: {e: 2}"]
    read = comments("\n".join(lines))
    assert read["a"].own == "of a"
    assert read["b"].above == "about b"
    assert read["b.c"].own == "c and more"
    assert read["b.d"].text == ""


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
