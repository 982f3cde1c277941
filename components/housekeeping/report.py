"""What housekeeping tells: plain tables."""

from __future__ import annotations

from collections.abc import Sequence

from components.housekeeping.prune import Pruned
from components.housekeeping.verify import Finding


def pruned_table(pruned: Pruned, *, dry_run: bool) -> str:
    """What was freed, or would be."""
    total = (sum(f.objects for f in pruned.freed), sum(f.size for f in pruned.freed))
    rows = [(f.what, f.objects, f.size) for f in pruned.freed] + [("together", *total)]
    lines = [f"{'would be freed' if dry_run else 'freed':<36}{'objects':>9}{'size':>12}"]
    lines += [f"{what:<36}{objects:>9}{human(size):>12}" for what, objects, size in rows]
    if pruned.waiting:
        lines.append(f"data were left alone for runs at work, or failed lately: {', '.join(pruned.waiting)}")
    return "\n".join(lines)


def findings_table(findings: Sequence[Finding]) -> str:
    """One line per finding."""
    return "\n".join(f"{'ok  ' if f.sound else 'FAIL'}  {f.what}: {f.state}" for f in findings)


def human(size: float) -> str:
    """Bytes in the unit that suits them."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
