"""The image build keeps its promises, as far as that can be read without building anything."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "k8s" / "images"
SHIPPED = ("data", "airflow", "train")
RECIPES = [IMAGES / "Containerfile", IMAGES / "lab" / "Containerfile"]
LOCKED = ["requirements-data.lock", "requirements.lock", "requirements-airflow.lock"]
SECRET = re.compile(r"PASSW|TOKEN|SECRET|CREDENTIAL|_KEY\b|API_?KEY", re.IGNORECASE)


@dataclass
class BuildStage:
    """One FROM of a Containerfile and what follows it."""

    name: str
    parent: str
    lines: list[tuple[str, str]] = field(default_factory=list)


def instructions(path: Path) -> list[tuple[str, str]]:
    """All instructions of a Containerfile: name and the rest, continued lines joined, comments dropped."""
    text = "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n", " ", text)
    split = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [(name.upper(), rest) for name, rest in split]


def build_stages(path: Path) -> dict[str, BuildStage]:
    """The stages by name."""
    stages: dict[str, BuildStage] = {}
    current: BuildStage | None = None
    for name, rest in instructions(path):
        if name == "FROM":
            parent, _, alias = rest.partition(" AS ")
            current = stages.setdefault(alias or "last", BuildStage(alias or "last", parent))
        elif current is not None:
            current.lines.append((name, rest))
    return stages


def lineage(stages: dict[str, BuildStage], name: str) -> list[tuple[str, str]]:
    """All instructions an image is made of, its parents' first."""
    stage = stages[name]
    above = lineage(stages, stage.parent) if stage.parent in stages else []
    return above + stage.lines


def pins(lock: Path) -> set[str]:
    """``name==version`` of every requirement of a lock."""
    return set(re.findall(r"^([a-z0-9][\w.-]*==[^\s;\\]+)", lock.read_text(), re.MULTILINE))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.parent.name)
def test_the_base_is_an_argument_with_a_fixed_tag(recipe: Path) -> None:
    arguments = dict(rest.partition("=")[::2] for name, rest in instructions(recipe) if name == "ARG")
    base = arguments["BASE_IMAGE"]
    assert re.search(r"(:[\w.-]+|@sha256:[0-9a-f]{64})$", base.rpartition("/")[2])
    assert not base.endswith(":latest")
    stages = build_stages(recipe)
    assert {stage.parent for stage in stages.values()} <= {"${BASE_IMAGE}", *stages}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.parent.name)
def test_images_run_as_a_numbered_user(recipe: Path) -> None:
    stages = build_stages(recipe)
    for name in SHIPPED if "data" in stages else ("last",):
        users = [rest for instruction, rest in lineage(stages, name) if instruction == "USER"]
        # A name would not do: runAsNonRoot checks the number in the image's configuration.
        assert re.fullmatch(r"[1-9]\d*:\d+", users[-1]), f"{name} runs as {users}"


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.parent.name)
def test_no_argument_or_variable_holds_a_secret(recipe: Path) -> None:
    for name, rest in instructions(recipe):
        if name == "ARG":
            argument, _, value = rest.partition("=")
            assert not SECRET.search(argument)
            assert not value or argument == "BASE_IMAGE", f"ARG {argument} has a default"
        if name == "ENV":
            assert not SECRET.search(rest)


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_never_saw_the_package_index(name: str) -> None:
    text = "\n".join(f"{a} {b}" for a, b in lineage(build_stages(RECIPES[0]), name))
    assert "PIP_" not in text
    assert "type=secret" not in text
    assert "pip" not in re.sub(r"/pipeline|pipelines?", "", text).split()


def test_no_file_of_the_build_names_a_host() -> None:
    for path in [*IMAGES.rglob("*"), *(ROOT / name for name in LOCKED)]:
        if path.is_file() and path.suffix != ".pyc":
            text = path.read_text()
            assert not re.search(r"https?://|--(extra-)?index-url|--find-links|--trusted-host", text), path


def test_every_installation_checks_hashes() -> None:
    calls = [
        call
        for path in (IMAGES / "install", IMAGES / "trim", *RECIPES)
        for call in re.sub(r"\\\n", " ", path.read_text()).splitlines()
        if re.search(r"\bpip install\b", call) and not call.lstrip().startswith("#")
    ]
    assert calls
    assert all("--require-hashes" in call and "--no-deps" in call for call in calls)


@pytest.mark.parametrize("lock", LOCKED)
def test_every_requirement_is_pinned_and_hashed(lock: str) -> None:
    entries = re.split(r"\n(?=[a-z0-9])", (ROOT / lock).read_text().strip())
    assert len(entries) > 100
    for entry in entries:
        assert re.match(r"[a-z0-9][\w.-]*==\S", entry), entry[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry[:80]


def test_the_data_environment_is_a_part_of_the_train_environment() -> None:
    # The train image is layers over the data image: another version in one lock would be there twice.
    data, train = pins(ROOT / "requirements-data.lock"), pins(ROOT / "requirements.lock")
    assert data <= train
    assert not any(pin.startswith(("torch==", "nvidia-", "apache-airflow==")) for pin in data)
    assert not any(pin.startswith("apache-airflow==") for pin in train)


def test_no_downloads_beside_the_locks() -> None:
    for recipe in RECIPES:
        for name, rest in instructions(recipe):
            assert name != "ADD"
            assert not re.search(r"\b(curl|wget|apt-get|apk|git clone)\b", rest)
            assert not re.search(r"chmod\b[^&|;]*\b0?[0-7]?[0-7][0-7][2367]\b", rest), (
                "writable for everybody"
            )


def test_the_context_is_a_list_of_what_may_enter() -> None:
    patterns = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert patterns[0] == "*"
    entering = {line[1:] for line in patterns if line.startswith("!")}
    assert all((ROOT / path).exists() for path in entering)
    assert not entering & {".git", ".venv", "var", "tests", ".dvc", ".dvc/config.local"}


def test_the_pipeline_in_the_image_is_whole() -> None:
    # A stage's workspace and the code hash are made of these; one left out would change the hash unnoticed.
    [copied] = [rest for name, rest in build_stages(RECIPES[0])["source"].lines if name == "RUN"]
    evidence = ".assets/evidence/evidence.json"
    for path in ("components", "dvc.yaml", "params.yaml", ".dvcignore", ".dvc/config", evidence, *LOCKED[:2]):
        assert f"/source/{path}" in copied
        assert f"\n!{path}\n" in (ROOT / ".dockerignore").read_text()


def test_code_is_the_last_layer() -> None:
    for name in SHIPPED:
        copies = [
            rest for instruction, rest in lineage(build_stages(RECIPES[0]), name) if instruction == "COPY"
        ]
        assert copies[-1].startswith("--from=source")
