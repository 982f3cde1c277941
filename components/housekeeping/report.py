"""Tables of what a pruning freed, or would free, and of what each training holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from components.housekeeping.policy import Holding
from components.housekeeping.sweep import Freed
from components.lib.operations.state import State


@dataclass(frozen=True, slots=True)
class Training:
    """Training, and the bytes that it holds.

    Attributes:
        run: Run that trained it.
        key: Key of the training.
        kept: True if the policy keeps it.
        size: Bytes of its records and of all data that these name.
        alone: Bytes that no other training holds.
    """

    run: str
    key: str
    kept: bool
    size: int
    alone: int


def rows_of(state: State, holdings: Mapping[str, Holding], kept: Set[str]) -> tuple[Training, ...]:
    """Return a row per training, in the order of ``holdings``.

    Args:
        state: State of the operations.
        holdings: What each training holds, by its key.
        kept: Keys of trainings that stay.
    """
    others = Counter(md5 for holding in holdings.values() for md5 in holding.data)
    return tuple(
        Training(
            run=state.claims[key].run,
            key=key,
            kept=key in kept,
            size=holding.records + sum(holding.data.values()),
            alone=holding.alone(others),
        )
        for key, holding in holdings.items()
    )


def trainings_table(trainings: Sequence[Training]) -> str:
    """Return a table of what each training holds, empty without any."""
    if not trainings:
        return ""
    lines = [f"{'training, newest first':<36}{'':>9}{'holds':>12}{'alone':>12}"]
    for one in trainings:
        word = "stays" if one.kept else "goes"
        lines.append(
            f"{one.run[:22]:<22} {one.key[:12]} {word:>9}{_human(one.size):>12}{_human(one.alone):>12}"
        )
    return "\n".join([*lines, ""])


def freed_table(freed: Sequence[Freed], *, dry_run: bool) -> str:
    """Return a table of what was removed, or would be."""
    total = (sum(f.objects for f in freed), sum(f.size for f in freed))
    rows = [(f.kind, f.objects, f.size) for f in freed] + [("together", *total)]
    lines = [f"{'would be freed' if dry_run else 'freed':<36}{'objects':>9}{'size':>12}"]
    return "\n".join([*lines, *(f"{kind:<36}{objects:>9}{_human(size):>12}" for kind, objects, size in rows)])


def _human(size: float) -> str:
    """Return a number of bytes with a decimal unit, B to TB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
