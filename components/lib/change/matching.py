"""Pairs of objects that overlap, chosen one to one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Index = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float64]


def one_to_one(first: Index, second: Index, overlap: Floats) -> tuple[Index, Index, Floats]:
    """Choose pairs so that each object is in one at most, those that overlap most first.

    Above an overlap (IoU) of 1/2 disjoint objects have one partner at most and there is nothing to choose.
    Equal overlaps are chosen in the order of the objects' numbers.

    Args:
        first: (N,) numbers of objects of one side.
        second: (N,) numbers of objects of the other, pair by pair.
        overlap: (N,) overlap of each pair.

    Returns:
        The three arrays, restricted to the chosen pairs, largest overlap first.
    """
    order = np.lexsort((second, first, -overlap))
    taken_first, taken_second = set[int](), set[int]()
    chosen = []
    for k, a, b in zip(order.tolist(), first[order].tolist(), second[order].tolist(), strict=True):
        if a not in taken_first and b not in taken_second:
            taken_first.add(a)
            taken_second.add(b)
            chosen.append(k)
    picked = np.asarray(chosen, dtype=np.intp)
    return first[picked], second[picked], overlap[picked]
