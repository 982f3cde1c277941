from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import yaml

from components.contract.errors import ParameterError
from components.contract.parameters import PARAMS_LOCK, SECTIONS
from components.lib.config.loader import (
    SERVICES,
    Parameters,
    load_known,
    load_parameters,
    load_section,
    validated,
)


class Inner(Parameters):
    west_m: float
    groups: int = 5


class Outer(Parameters):
    epochs: int
    split: Inner


def write(tmp_path: Path, document: object) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def document(**changes: object) -> dict[str, object]:
    base: dict[str, object] = {
        "profile": "small",
        "optical": {"epochs": 3, "split": {"west_m": 1.0}},
        "profiles": {"small": {"optical": {}}, "large": {"optical": {"epochs": 200, "split": {"groups": 7}}}},
    }
    return base | changes


def test_the_base_is_read_when_the_profile_changes_nothing(tmp_path: Path) -> None:
    assert load_parameters("optical", Outer, write(tmp_path, document())).epochs == 3


def test_a_profile_overlays_nested_keys_and_keeps_the_rest(tmp_path: Path) -> None:
    read = load_parameters("optical", Outer, write(tmp_path, document(profile="large")))
    assert (read.epochs, read.split.groups, read.split.west_m) == (200, 7, 1.0)


@pytest.mark.parametrize(
    ("changes", "where", "nearest"),
    [
        ({"optical": {"epoch": 3, "split": {"west_m": 1}}}, "optical.epoch: unknown key", "epochs"),
        ({"optical": {"epochs": 3, "split": {"west_m": 1, "group": 2}}}, "optical.split.group", "groups"),
        ({"opticl": {}}, "unknown key 'opticl'", "optical"),
        ({"profile": "smal"}, "'smal' is not declared under profiles", "small"),
        ({"profiles": {"small": {"optcal": {}}}}, "profiles.small: unknown key 'optcal'", "optical"),
    ],
)
def test_a_typo_is_named_with_the_nearest_valid_key(
    tmp_path: Path, changes: dict[str, object], where: str, nearest: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        load_parameters("optical", Outer, write(tmp_path, document(**changes)))
    assert where in caught.value.message
    assert f"the nearest valid one is {nearest!r}" in caught.value.message
    assert caught.value.next_step


class Kinds(Parameters):
    number: float = 1.0
    whole: int = 1
    switch: bool = False
    several: tuple[float, ...] = ()
    by_name: dict[str, int] = {}  # noqa: RUF012 - pydantic copies it
    either: Literal["model"] | float = "model"


@pytest.mark.parametrize(
    "value",
    [
        {"number": True},
        {"number": "1e-2"},
        {"number": "inf"},
        {"number": "\uff11"},
        {"whole": False},
        {"whole": "4"},
        {"switch": "yes"},
        {"switch": 1},
        {"several": [1.0, True]},
        {"several": ["1"]},
        {"by_name": {"a": "1"}},
        {"either": "0.5"},
    ],
)
def test_a_value_is_not_taken_for_another_kind(value: dict[str, object]) -> None:
    with pytest.raises(ParameterError, match=f"evaluate.{next(iter(value))}"):
        validated("evaluate", Kinds, value)


def test_whole_numbers_are_numbers_and_lists_are_tuples() -> None:
    read = validated("evaluate", Kinds, {"number": 1, "whole": 4.0, "several": [1, 2.5], "either": "model"})
    assert (read.number, read.whole, read.several) == (1.0, 4, (1.0, 2.5))


def test_a_value_of_the_wrong_type_is_shown(tmp_path: Path) -> None:
    wrong = document(optical={"epochs": "many", "split": {"west_m": 1}})
    with pytest.raises(ParameterError, match=r"optical\.epochs: .*valid integer.*'many'"):
        load_parameters("optical", Outer, write(tmp_path, wrong))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"profile": None}, "profile: must be one name (got None)"),
        ({"profile": ["small", "large"]}, "profile: must be one name (got ['small', 'large'])"),
        ({"profile": {"small": 1}}, "profile: must be one name"),
        ({"profile": 3}, "profile: must be one name (got 3)"),
        ({"profile": "x" * 9000}, "is not declared under profiles"),
        ({"profiles": None}, "profiles: must be a mapping (it is empty)"),
        ({"profiles": ["small"]}, "profiles: must be a mapping (got ['small'])"),
        ({"profiles": "small"}, "profiles: must be a mapping (got 'small')"),
        ({"profiles": {}}, "'small' is not declared"),
        ({"profiles": {"small": None}}, "profiles.small: must be a mapping (it is empty)"),
        ({"profiles": {"small": [1]}}, "profiles.small: must be a mapping (got [1])"),
        ({"optical": None}, "optical: Input should be"),
        ({"optical": ["x" * 90] * 9000}, "optical: Input should be"),
        ({"optical": {"epochs": "x" * 9000, "split": None}}, "optical.epochs"),
        ({"optical": {"x" * 9000: 1, "epochs": 1, "split": {"west_m": 1}}}, "unknown key"),
    ],
)
def test_a_part_of_the_wrong_shape_is_named_in_few_words(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        load_parameters("optical", Outer, write(tmp_path, document(**changes)))
    assert words in caught.value.message
    assert len(str(caught.value)) < 600 + 2 * len(str(tmp_path))


def test_a_message_lists_a_few_mistakes(tmp_path: Path) -> None:
    wrong = {f"k{index}": 1 for index in range(1000)}
    with pytest.raises(ParameterError, match=r"and 99\d more") as caught:
        load_parameters("optical", Outer, write(tmp_path, document(optical=wrong)))
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("value", [True, "3", 3.5, None])
def test_a_value_is_of_its_type_and_is_not_converted(value: object, tmp_path: Path) -> None:
    path = write(tmp_path, document(optical={"epochs": value, "split": {"west_m": 1}}))
    with pytest.raises(ParameterError, match=r"optical\.epochs: .* \(got "):
        load_parameters("optical", Outer, path)


def test_keys_of_other_readers_are_left_to_them(tmp_path: Path) -> None:
    path = write(tmp_path, document(orchestration={"groups": 7, "west_m": 1.0, "other": None}))
    assert load_known("orchestration", Inner, path).groups == 7
    with pytest.raises(ParameterError, match=r"orchestration\.west_m: "):
        load_known("orchestration", Inner, write(tmp_path, document(orchestration={"west_m": "far"})))
    with pytest.raises(ParameterError, match=r"orchestration: must be a mapping"):
        load_known("orchestration", Inner, write(tmp_path, document(orchestration=None)))


def test_a_stale_lock_beside_the_parameters_refuses_stages_and_leaves_services_alone(tmp_path: Path) -> None:
    path = write(tmp_path, document(orchestration={"groups": 7}))
    (tmp_path / PARAMS_LOCK).write_text("graph:\n  optical: {epochs: 3}\n")
    assert load_parameters("optical", Outer, path).epochs == 3
    write(tmp_path, document(orchestration={"groups": 7}, profile="large"))
    with pytest.raises(ParameterError, match=r"optical\.epochs: 3, and .* 200") as caught:
        load_parameters("optical", Outer, path)
    assert "python -m components.check" in caught.value.next_step
    assert load_section("orchestration", path) == {"groups": 7}


def test_a_profile_can_switch_a_key_off(tmp_path: Path) -> None:
    off = document(profiles={"small": {"optical": {"split": None}}})
    assert load_section("optical", write(tmp_path, off)) == {"epochs": 3, "split": None}


@pytest.mark.parametrize("wrong", [None, [], "half"])
def test_a_profiles_section_of_another_type_is_named(tmp_path: Path, wrong: object) -> None:
    path = write(tmp_path, document(profiles={"small": {"optical": wrong}}))
    with pytest.raises(ParameterError, match=r"profiles\.small\.optical: must be a mapping"):
        load_section("optical", path)


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="root of the repository"):
        load_parameters("optical", Outer, tmp_path / "params.yaml")


def test_broken_yaml_is_a_parameter_error(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("optical: [")
    with pytest.raises(ParameterError, match="not valid YAML"):
        load_parameters("optical", Outer, path)


def test_every_profile_names_every_section(repository: Path) -> None:
    """dvc.yaml depends on each section of the active profile that a stage reads: there, if only as ``{}``."""
    params = yaml.safe_load((repository / "params.yaml").read_text())
    sections = set(params) - {"profile", "profiles"}
    assert sections <= set(SECTIONS)
    for name, profile in params["profiles"].items():
        assert set(profile) - SERVICES == sections - SERVICES, name
    assert load_section("acquisitions", repository / "params.yaml")
