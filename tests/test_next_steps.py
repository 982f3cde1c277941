"""Next steps that name a stage name one of dvc.yaml."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]

_COMMAND = re.compile(r"dvc repro (?:--force )?([a-z_]+)")


def _named(tree: ast.AST) -> set[str]:
    """Return the stages that ``made_by="..."`` and commands in strings name, without their parts."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "made_by":
            value = node.value.values[0] if isinstance(node.value, ast.JoinedStr) else node.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                found.add(value.value.partition("@")[0])
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.update(_COMMAND.findall(node.value))
    return found


def test_every_stage_in_a_next_step_is_one_of_the_graph() -> None:
    stages = set(yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"])
    unknown = {}
    for path in sorted((ROOT / "components").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if "experiments" in path.parts:  # their inputs are made by commands
            continue
        named = _named(ast.parse(path.read_text(encoding="utf-8")))
        if wrong := named - stages:
            unknown[name] = wrong
    assert not unknown


def test_the_table_of_features_is_made_by_the_verdict() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert "data/validated" in stages["verdict"]["outs"]
    assert "verdict" in _named(ast.parse((ROOT / "components/lib/drift/features.py").read_text()))
