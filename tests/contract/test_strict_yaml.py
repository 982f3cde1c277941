"""YAML is read as DVC reads it; what could mean two things, or fill the memory, is refused at once."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from dvc.utils.serialize import loads_yaml
from ruamel.yaml.error import YAMLError

from components.contract.strict_yaml import Limits, YamlMistake, dump, parse

LIMITS = Limits(size=10_000, nodes=1000, depth=10, scalar=100)


def read(text: str, *, plain: bool = True) -> Any:
    return parse(text, LIMITS, plain=plain)


def mistake(text: str, *, plain: bool = True) -> YamlMistake:
    with pytest.raises(YamlMistake) as caught:
        read(text, plain=plain)
    return caught.value


@pytest.mark.parametrize(
    "text",
    ["a:\t1\n", "a: 1\t# x\n", "a: 1\t\n", "a: b\tc\n", "a: !!int\t1\n", "a: 'x'\t\n", "a: 'b\tc'\t# x\n"],
)
def test_a_tab_that_dvc_does_not_read_is_refused(text: str) -> None:
    with pytest.raises(YAMLError):
        loads_yaml(text)
    assert "a tab stands between values" in mistake(f"b: 0\n{text}").message
    assert mistake(f"b: 0\n{text}").line == 2


@pytest.mark.parametrize(
    "text",
    [
        "a: 1 # x\ty\n",
        "# a\tb\na: 1\n",
        "a: 'b\tc'\n",
        'a: "b#\tc"\n',
        "a: |\n  b\tc\nd: 1\n",
        "a: '\t#\t'\n",
    ],
)
def test_a_tab_in_text_or_in_a_comment_is_read(text: str) -> None:
    assert read(text) == loads_yaml(text)


@pytest.mark.parametrize(
    "scalar",
    [
        "1", "-1", "+12", "1_000", "0", "0o17", "0x1F", "0b101", "1e3", "1E-3", "1.5e+3", ".5", "1.", "-0.0",
        "true", "TRUE", "False", "~", "null", "", "yess", "y", "n", "e3", "1e", "0.5.1", "a:b", "'on'",
        '"010"', "'1:30'", "08.5", "- 1", "[]", "{}", "!!str 1", "!!float 1",
    ],
)  # fmt: skip
def test_a_scalar_means_what_it_means_to_dvc(scalar: str) -> None:
    text = f"a: {scalar}\n" if not scalar.startswith("-") or scalar[1:2] != " " else f"a:\n  {scalar}\n"
    ours, theirs = read(text), loads_yaml(text)
    assert ours == theirs
    assert type(ours["a"]) is type(theirs["a"])


@pytest.mark.parametrize("scalar", ["010", "0777", "-08", "on", "Off", "yes", "NO", "1:30", "190:20:30.15"])
def test_a_scalar_with_two_meanings_is_refused_by_name_in_a_plain_document(scalar: str) -> None:
    found = mistake(f"x: 1\na: {{b: [1, {scalar}]}}\n")
    assert (found.line, found.name) == (2, "a.b[1]")
    assert scalar in found.message
    assert "two meanings" in found.message
    text = f"a: {scalar}\n"
    assert read(text, plain=False) == loads_yaml(text), "DVC's own files are read as DVC reads them"


@pytest.mark.parametrize("scalar", [".inf", "-.Inf", "+.INF", ".nan", ".NaN", "1e400"])
def test_what_is_no_finite_number_is_refused(scalar: str) -> None:
    found = mistake(f"a:\n  b: {scalar}\n")
    assert (found.line, found.name) == (2, "a.b")
    assert "no finite number" in found.message


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("a: 1\nb: 2\na: 3\n", "'a' stands there twice, first in line 1", 3),
        ("a: {b: 1, c: 2, b: 3}\n", "'b' stands there twice", 1),
        ("a:\n  <<: {x: 1}\n  <<: {y: 1}\n", "'<<' stands there twice", 3),
        ("a: &b {x: 1}\nc:\n  x: 1\n  <<: *b\n  x: 2\n", "'x' stands there twice", 5),
        ("1: a\n", "the key 1 is no text", 1),
        ("a:\n  true: a\n", "the key true is no text", 2),
        ("~: a\n", "the key ~ is no text", 1),
        ("? [a]\n: 1\n", "a key must be a word", 1),
        ("a: 2024-01-01\n", "is a date", 1),
        ("a: 99999999999999999999\n", "64 bits", 1),
        ("a: !!python/name:os.system\n", "the tag", 1),
        ("a: !!set {x, y}\n", "the tag", 1),
        ("a: !!binary aGk=\n", "the tag", 1),
        ("%YAML 1.1\n---\na: on\n", "YAML 1.1", 1),
        ("a: 1\n---\nb: 1\n", "another document", 2),
        ("a: [\n", "not valid YAML", 2),
        ("\ta: 1\n", "not valid YAML", 1),
        ("a: 0b_\n", "no number", 1),
        ("a: {<<: 3}\n", "needs a mapping", 1),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, words: str, line: int) -> None:
    found = mistake(text)
    assert words in found.message
    assert found.line == line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: " + "[" * 3000, "deeper than 10 levels"),
        ("a: " + "[" * 3000 + "]" * 3000, "deeper than 10 levels"),
        ("- " * 3000, "deeper than 10 levels"),
        ("{" * 3000, "deeper than 10 levels"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*c]\n", "*c stands for nothing"),
        ("a: &a [*a]\n", "*a stands for nothing"),
        ("a: &a {b: *a}\n", "*a stands for nothing"),
        ("a: [" + "x, " * 1001 + "]", "more than 1000 values"),
        ("a: '" + "x" * 101 + "'", "longer than 100 characters"),
        ("k" * 101 + ": 1", "longer than 100 characters"),
    ],
)
def test_a_document_beyond_the_bounds_is_refused(text: str, words: str) -> None:
    assert words in mistake(text).message


def test_aliases_count_with_all_that_they_stand_for() -> None:
    """Nine lines stand for ten to the ninth values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "more than 1000 values, with its aliases expanded" in mistake("\n".join(lines)).message
    merged = "a: &a {" + ", ".join(f"k{i}: 1" for i in range(300)) + "}\nb: [{<<: *a}, {<<: *a}, {<<: *a}]\n"
    assert "more than 1000 values" in mistake(merged).message


def test_merged_mappings_follow_dvc() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\nd: {<<: *a}\n"
    assert read(text) == loads_yaml(text)
    assert read(text)["c"] == {"x": 3, "y": 1, "z": 2}


@pytest.mark.parametrize("text", ["a: <<", "a: =", "- ="])
def test_what_yaml_has_a_meaning_for_is_no_value(text: str) -> None:
    assert "has two meanings in YAML: quote it" in mistake(text).message


def test_an_empty_document_is_nothing() -> None:
    assert read("") is None
    assert read("# words\n") is None


def test_what_is_written_means_the_same_to_every_reader() -> None:
    """DVC reads YAML 1.2, PyYAML 1.1: text that one of them takes for a number or a truth value is quoted."""
    words = [
        "no",
        "on",
        "010",
        "1:30",
        "1e3",
        "1e-05",
        "0o7",
        "1.0e5",
        "2026-11-28",
        "~",
        "",
        "Straße",
        "true",
    ]
    value = {"words": words, "numbers": [1e-05, 1e22, 0.1, 3, -1], "rest": [None, True, [], {}], "no": "yes"}
    text = dump(value)
    assert parse(text, LIMITS, plain=False) == value
    assert loads_yaml(text) == value
    assert yaml.safe_load(text) == value
