"""``params.yaml``: every section through the loader that stages use."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from components.contract.parameters import SECTIONS
from components.lib.cli import run
from components.lib.config.loader import load_parameters
from tests.campaign.mutations import TEXT, Mutated, mutate_bytes
from tests.campaign.processes import run_forked
from tests.campaign.readers.base import SingleReader
from tests.campaign.verdicts import Ended, Judgement, judged

ROOT = Path(__file__).parents[3]

MODELS = {
    "world": "components.simulation.parameters:WorldParameters",
    "download": "components.download.parameters:DownloadParameters",
    "validate": "components.validate.parameters:ValidateParameters",
    "prepare": "components.prepare.parameters:PrepareParameters",
    "training": "components.lib.engine.parameters:TrainingParameters",
    "optical": "components.optical.parameters:OpticalParameters",
    "distill": "components.distill.parameters:DistillParameters",
    "adapt": "components.adapt.parameters:AdaptParameters",
    "scoring": "components.lib.config.scoring:ScoringSettings",
    "evaluate": "components.evaluate.parameters:EvaluateParameters",
    "report": "components.report.parameters:ReportParameters",
    "promote": "components.promote.parameters:PromoteParameters",
    "tracking": "components.lib.tracking.parameters:TrackingParameters",
}
"""Sections that are one model each."""


class Params(SingleReader):
    """Parameter files: all sections are read, and what is accepted is held against YAML 1.2, read apart."""

    name = "params"

    def set_up(self) -> None:
        """Read the committed file without most profiles, as reading it apart is slow; load the models."""
        text = (ROOT / "params.yaml").read_text(encoding="utf-8")
        self.valid = text[: text.index("  spacenet6:\n")].encode()
        self.models = {section: _named(place) for section, place in MODELS.items()}

    def judge_one(self, seed: int) -> Judgement:
        """Read one file."""
        rng = Random(seed)
        folder = self.fresh("case")
        mutate = rng.choice((_scalar, _scalar, _scalar, _line, _line, _profile, _hostile, _bytes))
        described, content = mutate(rng, self.valid)
        (folder / "params.yaml").write_bytes(content)
        ended = run_forked(partial(_read_all, self.models), folder)
        return judged(
            self.name,
            seed,
            described,
            ended,
            names=("params.yaml", *SECTIONS, "profile"),
            accepted=_accepted(ended, content),
        )


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def _read_all(models: Mapping[str, Any]) -> None:
    """Run in the child: read all sections and print them as JSON, within the frame of every command."""

    def main() -> None:
        read = {
            section: load_parameters(section, model).model_dump(mode="json")
            for section, model in models.items()
        }
        print(json.dumps(read))

    run(main)


def _accepted(ended: Ended, content: bytes) -> str | None:
    """Return where the values differ from what YAML 1.2 and the profile say."""
    if ended.code != 0:
        return None
    try:
        document = YAML(typ="safe", pure=True).load(content.decode("utf-8-sig"))
        profile = document["profiles"][document["profile"]]
    except (YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError, RecursionError) as error:
        return f"accepted, though DVC's reader says {type(error).__name__}: {str(error)[:100]}"
    for section, values in json.loads(ended.stdout).items():
        wrong = _differs(_merged(document.get(section), profile.get(section, {})), values, section)
        if wrong:
            return wrong
    return None


def _merged(base: Any, overlay: Any) -> Any:
    if overlay == {}:
        return base
    if isinstance(base, dict) and isinstance(overlay, dict):
        return {**base, **{key: _merged(base.get(key), value) for key, value in overlay.items()}}
    return overlay


def _differs(written: Any, read: Any, where: str) -> str | None:
    """Return a sentence if ``read`` is another value than the one written; defaults are nobody's words."""
    if isinstance(written, dict) and isinstance(read, dict):
        parts = (_differs(value, read.get(key), f"{where}.{key}") for key, value in written.items())
        return next(filter(None, parts), None)
    if isinstance(written, list) and isinstance(read, list):
        if len(written) != len(read):
            return f"{where}: {len(read)} values instead of {len(written)}"
        parts = (_differs(a, b, f"{where}.{i}") for i, (a, b) in enumerate(zip(written, read, strict=True)))
        return next(filter(None, parts), None)
    if isinstance(written, float) and not math.isfinite(written):
        return f"{where}: accepted a number that is not finite"
    if isinstance(written, bool) != isinstance(read, bool):
        return f"{where}: {written!r} was read as {read!r}"
    if written == read or str(written) == str(read):
        return None
    if isinstance(written, str) and isinstance(read, int | float) and _number(written) == read:
        return None
    return f"{where}: {str(written)[:40]!r} was read as {str(read)[:40]!r}"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


_SCALARS = (
    "010", "0o10", "0x10", "1:30", "on", "off", "yes", "no", "true", "null", "~", "", ".inf", "-.inf", ".nan",
    "1e400", "-1", "0", "1e-3", "1_000", "'3'", "9" * 400, "[]", "{}", "[1, 2, 3]", "{a: 1}", "2019-08-04",
    "!!python/object/apply:os.system ['true']", "!!binary aGFsbG8=", "!!set {a, b}", "!!str 3", "&a 3", "*a",
    "|", ">", "\"\\0\"", "\"\\ud800\"", "concrod", "é", "- 3", "@", "%", "`", "3 # three", "3#three", "+3",
    "1.", ".5", "1,5", "NaN", "Infinity", "<<", "? a", "0.30000000000000004", "1e3", "1E3",
)  # fmt: skip
"""Texts in the place of a value."""


def _scalar(rng: Random, content: bytes) -> Mutated:
    """Put another text in the place of a value of the base sections or a profile."""
    lines = content.decode().splitlines()
    places = [i for i, line in enumerate(lines) if _is_value(line)]
    place = rng.choice(places)
    key, _, rest = lines[place].partition(": ")
    comment = f"   #{rest.split('#', 1)[1]}" if "#" in rest else ""
    what = rng.choice(_SCALARS)
    lines[place] = f"{key}: {what}{comment}"
    return f"line {place + 1}: {key.strip()}: {what[:50]}", ("\n".join(lines) + "\n").encode()


def _is_value(line: str) -> bool:
    return ": " in line and not line.lstrip().startswith(("#", "{", "}"))


def _line(rng: Random, content: bytes) -> Mutated:
    """Repeat, drop, indent or misspell a line, as an editor's slip would."""
    lines = content.decode().splitlines()
    place = rng.choice([i for i, line in enumerate(lines) if _is_value(line)])
    key = lines[place].split(":")[0]
    what = rng.choice(("twice", "twice with another value", "dropped", "indented", "tab", "misspelt", "key"))
    if what == "twice":
        lines.insert(place, lines[place])
    elif what == "twice with another value":
        lines.insert(place, f"{key}: 0.123")
    elif what == "dropped":
        del lines[place]
    elif what == "indented":
        lines[place] = " " * rng.choice((1, 2, 3)) + lines[place]
    elif what == "tab":
        lines[place] = "\t" + lines[place].lstrip()
    elif what == "misspelt":
        letter = rng.randrange(len(key.strip())) + len(key) - len(key.strip())
        lines[place] = lines[place][:letter] + "x" + lines[place][letter + 1 :]
    else:
        indent = " " * (len(key) - len(key.lstrip()))
        lines.insert(
            place, indent + rng.choice(("1: 2", "null: 1", "true: 1", "? [a, b]\n: 1", "'': 1", "1.5: 1"))
        )
    return f"line {place + 1} ({key.strip()}) {what}", ("\n".join(lines) + "\n").encode()


def _profile(rng: Random, content: bytes) -> Mutated:
    """Name an odd profile, or declare odd ones."""
    text = content.decode()
    if rng.random() < 0.4:
        what = rng.choice(
            ("", "null", "smokee", "[smoke]", "{smoke: 1}", "5", "true", "Smoke", "''", "'smoke '")
        )
        return f"profile: {what}", text.replace("profile: rehearsal", f"profile: {what}", 1).encode()
    head = text[: text.index("profiles:")]
    what = rng.choice(
        (
            "profiles:", "profiles: []", "profiles: {}", "profiles: 5", "profiles: {rehearsal: }",
            "profiles: {rehearsal: []}", "profiles: {rehearsal: 5}", "profiles: {rehearsal: text}",
            "profiles: {rehearsal: {training: }}", "profiles: {rehearsal: {training: []}}",
            "profiles: {rehearsal: {training: 5}}", "profiles: {rehearsal: {training: {lr: }}}",
            "profiles: {rehearsal: {1: {}}}", "profiles: {rehearsal: {trainin: {}}}",
            "profiles: {rehearsal: {}, rehearsal: {training: {lr: 1}}}", "profiles: {[rehearsal]: {}}",
            "profiles: {null: {}, rehearsal: {}}", "profiles: &p {rehearsal: *p}", "",
        )
    )  # fmt: skip
    return what or "no profiles", f"{head}{what}\n".encode()


def _hostile(rng: Random, content: bytes) -> Mutated:
    """Write what is meant to exhaust a reader."""
    bomb = "\n".join(
        ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
        + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    )
    merge = "\n".join(
        ["m0: &m0 {a: 1}"] + [f"m{i}: &m{i} {{<<: [{', '.join([f'*m{i - 1}'] * 9)}]}}" for i in range(1, 9)]
    )
    text, indented = content.decode(), bomb.replace("\n", "\n  ")
    name, hostile = rng.choice(
        (
            ("an alias bomb", f"{text}{bomb}\n"),
            ("an alias bomb in a section", text.replace("  encoder:", f"  {indented}\n  encoder:", 1)),
            ("an alias bomb as a value", f"{bomb}\n" + text.replace("lr: 1.0e-2 ", "lr: *a8 ", 1)),
            ("a bomb of merges", f"{merge}\n{text}"),
            ("a value of 10 MB", text.replace("lr: 1.0e-2 ", f"lr: {'x' * 10_000_000} ", 1)),
            ("a number of 10 MB", text.replace("lr: 1.0e-2 ", f"lr: {'1' * 10_000_000} ", 1)),
            ("a key of 1 MB", f"{text}{'k' * 1_000_000}: 1\n"),
            ("a key of 1 MB inside", text.replace("  encoder:", f"  {'k' * 1_000_000}: 1\n  encoder:", 1)),
            ("lists 3000 deep", text.replace("lr: 1.0e-2 ", f"lr: {'[' * 3000}{']' * 3000} ", 1)),
            ("lists 100,000 deep", text.replace("lr: 1.0e-2 ", f"lr: {'[' * 100_000}{']' * 100_000} ", 1)),
            ("mappings 3000 deep", f"{text}deep: {'{a: ' * 3000}{'}' * 3000}\n"),
            ("indented 2000 deep", text + "\n".join(" " * i + "a:" for i in range(2000)) + "\n"),
            ("200,000 keys", text + "".join(f"k{i}: 1\n" for i in range(200_000))),
            ("a list of 1,000,000", text.replace("lr: 1.0e-2 ", f"lr: [{'1, ' * 1_000_000}1] ", 1)),
            ("two documents", f"{text}---\n{text}"),
            ("a directive", f"%YAML 1.1\n---\n{text}"),
            ("a recursive alias", text.replace("lr: 1.0e-2 ", "lr: &r [*r] ", 1)),
            ("a recursive section", text.replace("training:\n", "training: &t\n  more: *t\n", 1)),
            ("a list", "- 1\n- 2\n"),
            ("a scalar", "training\n"),
            ("a tag", text.replace("profile: rehearsal", "profile: !!python/name:os.system", 1)),
        )
    )  # fmt: skip
    return name, hostile.encode()


def _bytes(rng: Random, content: bytes) -> Mutated:
    return mutate_bytes(rng, content, TEXT)
