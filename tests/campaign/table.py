"""The campaign's result: counts by reader and by kill, and every breach."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.campaign.verdicts import Judgement, Outcome

_COLUMNS = ("judgements", "refused", "quarantined", "accepted", "breaches", "kills")


def table(judgements: Sequence[Judgement]) -> str:
    """Return counts by reader, then the kinds of breaches with an example of each."""
    rows = [f"{'reader':<22}" + "".join(f"{name:>13}" for name in _COLUMNS)]
    rows += [
        _row(reader, [judgement for judgement in judgements if judgement.reader == reader])
        for reader in dict.fromkeys(judgement.reader for judgement in judgements)
    ]
    rows.append(_row("all", judgements))
    return "\n".join([*rows, "", *_kinds(judgements)]) + "\n"


def breaches(judgements: Iterable[Judgement]) -> list[Judgement]:
    """Return what must not have happened."""
    return [judgement for judgement in judgements if judgement.outcome is Outcome.BREACH]


def write(folder: Path, judgements: Sequence[Judgement], settings: dict[str, object]) -> str:
    """Write ``chaos.txt`` and ``chaos.json`` to ``folder``; return the text."""
    folder.mkdir(parents=True, exist_ok=True)
    text = table(judgements)
    (folder / "chaos.txt").write_text(text, encoding="utf-8")
    document = {
        "settings": settings,
        "judgements": len(judgements),
        "kills": sum(judgement.kills for judgement in judgements),
        "breaches": [judgement.document() for judgement in breaches(judgements)],
        "outcomes": {
            reader: dict(Counter(str(j.outcome) for j in judgements if j.reader == reader))
            for reader in sorted({judgement.reader for judgement in judgements})
        },
        "slowest": [j.document() for j in sorted(judgements, key=lambda j: -j.seconds)[:5]],
    }
    (folder / "chaos.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return text


def _row(name: str, judgements: Sequence[Judgement]) -> str:
    counts = Counter(judgement.outcome for judgement in judgements)
    kills = sum(judgement.kills for judgement in judgements)
    numbers = (len(judgements), *(counts[outcome] for outcome in Outcome), kills)
    return f"{name:<22}" + "".join(f"{number:>13}" for number in numbers)


def _kinds(judgements: Sequence[Judgement]) -> list[str]:
    wrong = breaches(judgements)
    if not wrong:
        return ["no breach"]
    grouped: dict[tuple[str, str], list[Judgement]] = {}
    for judgement in wrong:
        grouped.setdefault((judgement.reader, judgement.kind), []).append(judgement)
    lines = [f"{len(wrong)} breaches of {len(grouped)} kinds"]
    for (reader, _), alike in sorted(grouped.items(), key=lambda item: (item[0][0], -len(item[1]))):
        first = alike[0]
        lines += [
            f"{len(alike):>4} {reader}: {' '.join(first.reason.split())[:160]}",
            f"     {first.mutation[:140]}",
            f"     {first.reproduction}",
        ]
    return lines
