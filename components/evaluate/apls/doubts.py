"""Sentences about road files that may not be what they are taken for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from components.lib.roads.graph.faults import Lines
from components.lib.roads.graph.model import Floats


def doubts(true: Mapping[str, Lines], proposed: Mapping[str, Lines], snap: float) -> list[str]:
    """Return sentences about input that may not be what it is taken for.

    Args:
        true: True roads by image.
        proposed: Proposed roads by image.
        snap: Distance within which one is found on the other, in the unit of the coordinates.
    """
    told = []
    if not any(one.lines for one in true.values()):
        told.append("the truth has no road")
    if not any(one.lines for one in proposed.values()):
        told.append("the proposal has no road")
    shared = sorted(true.keys() & proposed.keys())
    if apart := [image for image in shared if _apart(true[image].lines, proposed[image].lines, snap)]:
        told.append(f"no proposed road is near a true one{_named(apart)}: check CRS and order of coordinates")
    if missing := len(true.keys() - proposed.keys()):
        told.append(f"{missing} image(s) of the truth are not in the proposal, and count as empty there")
    if more := len(proposed.keys() - true.keys()):
        told.append(f"{more} image(s) of the proposal are not in the truth, and are not scored")
    if repairs := sum(len(one.faults) for one in (*true.values(), *proposed.values())):
        told.append(f"{repairs} repair(s) of the input")
    return told


def _apart(true: Sequence[Floats], proposed: Sequence[Floats], snap: float) -> bool:
    """Return whether the boxes of two networks are farther apart than ``snap``; False if one has no road."""
    if not true or not proposed:
        return False
    low, high = (
        [bound(np.concatenate(lines), axis=0) for lines in (true, proposed)] for bound in (np.min, np.max)
    )
    return bool((np.maximum(*low) > np.minimum(*high) + snap).any())


def _named(images: Sequence[str]) -> str:
    return f" in {len(images)} image(s), such as {images[0]}" if images[0] else ""
