"""Tests of how sections of ``params.yaml`` are looked up."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.contract.errors import ParameterError
from components.contract.parameters import value_at


def test_a_missing_section_is_not_taken_for_a_misspelt_one(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    with pytest.raises(ParameterError) as found:
        value_at({"pair": {}, "optical": {}}, "pairs", path)
    assert found.value.message == f"{path} has no section 'pairs'"
    assert found.value.next_step == f"add pairs: to {path}"


def test_a_misspelt_key_names_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="'concord'"):
        value_at({"methods": {"concord": {}}}, "methods.concrod", tmp_path / "params.yaml")
