"""Documents point at what is there: files, headings, targets of make."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "k8s").glob("*.md"),
        *ROOT.glob(".assets/**/*.md"),
    ]
)
CODE = sorted(
    path
    for folder in ("components", "dags", "tests")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".yaml"} and path != Path(__file__)
)

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CITED = re.compile(r"\bdocs/[\w/-]+\.md(?:#[\w-]+)?")


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def headings(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    lines = re.findall(r"^#+ (.+)$", _FENCE.sub("", document.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).strip().replace(" ", "-") for line in lines}


def missing(target: str, start: Path) -> bool:
    """Return whether there is no such file, or no such heading in it."""
    name, _, anchor = target.partition("#")
    path = (start / name).resolve() if name else start
    return not path.exists() or bool(anchor and anchor not in headings(path))


@pytest.mark.parametrize("document", DOCUMENTS, ids=names(DOCUMENTS))
def test_links_lead_somewhere(document: Path) -> None:
    targets = _LINK.findall(_FENCE.sub("", document.read_text("utf-8")))
    inside = [target for target in targets if not target.startswith(("http:", "https:", "mailto:"))]
    assert not [t for t in inside if missing(t, document if t.startswith("#") else document.parent)]


def test_headings_that_the_code_cites_exist() -> None:
    cited = {(path, name) for path in CODE for name in _CITED.findall(path.read_text("utf-8"))}
    assert not [f"{path.relative_to(ROOT)}: {name}" for path, name in cited if missing(name, ROOT)]


def test_decision_records_are_numbered_and_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    records = sorted(path.name for path in folder.glob("0*.md"))
    assert [name[:4] for name in records] == [f"{n:04}" for n in range(1, len(records) + 1)]
    listed = re.findall(r"\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text("utf-8"))
    assert listed == records
    for name in records:
        text = (folder / name).read_text("utf-8")
        assert text.startswith(f"# {name[:4]}. ")
        for part in ("## Context", "## Decision", "## Consequences", "## Alternatives considered"):
            assert part in text, f"{name} has no {part}"


def test_targets_of_make_in_the_documents_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for document in DOCUMENTS:
        text = document.read_text("utf-8")
        # In code only: "make sure" is no target.
        named = re.findall(r"`make ([a-z-]+)", text) + re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)
        assert set(named) <= targets, document.name


def test_locks_name_no_host() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        assert "://" not in lock.read_text("utf-8"), lock.name


def test_every_package_is_on_the_map() -> None:
    """The map names each folder of components and of lib that git knows."""
    text = (ROOT / "docs" / "map.md").read_text("utf-8")
    shown = text[text.index("## The map") : text.index("## What appears where")]
    tracked = subprocess.run(
        ["git", "ls-files", "components"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.splitlines() or names(list((ROOT / "components").rglob("*.py")))
    folders = {Path(name).parts[1] for name in tracked if len(Path(name).parts) > 2}
    concepts = {
        Path(name).parts[2] for name in tracked if Path(name).parts[1] == "lib" and len(Path(name).parts) > 3
    }
    words = set(re.findall(r"[\w]+", shown))
    assert folders <= words
    assert concepts <= words
