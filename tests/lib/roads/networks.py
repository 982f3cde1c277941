"""Road networks of known scores."""

from __future__ import annotations

import numpy as np

from components.lib.roads.graph.model import Floats

Lines = list[Floats]


def lines(*texts: str) -> Lines:
    """Lines of texts ``x y, x y, ...``."""
    return [np.array([[float(v) for v in p.split()] for p in text.split(",")]) for text in texts]


def wkt(network: Lines) -> list[str]:
    """Well-known text of each line."""
    return [f"LINESTRING ({', '.join(f'{x:g} {y:g}' for x, y in line.tolist())})" for line in network]


def grid() -> tuple[Lines, Lines]:
    """Truth of 40 lines and proposal of 35."""
    steps = range(5)
    true = {
        (i, j): (100 + 200 * i + (7 * i + 13 * j) % 11, 100 + 200 * j + (5 * i + 3 * j) % 7)
        for i in steps
        for j in steps
    }
    moved = {(i, j): (x + (i + 2 * j) % 5 - 2, y + (2 * i + j) % 5 - 2) for (i, j), (x, y) in true.items()}
    ways = [((i, j), (i + 1, j)) for i in range(4) for j in steps]
    ways += [((i, j), (i, j + 1)) for i in steps for j in range(4)]
    left_out = [
        (a, b)
        for a, b in ways
        if ((3 * a[0] + 5 * a[1]) % 7 == 0 if b[0] > a[0] else (4 * a[0] + a[1]) % 6 == 5)
    ]
    corner = moved[4, 4]
    proposal = [(moved[a], moved[b]) for a, b in ways if (a, b) not in left_out]
    proposal.append((corner, (corner[0] + 60, corner[1] + 60)))
    return [np.array([true[a], true[b]], float) for a, b in ways], [np.array(p, float) for p in proposal]


LINE = lines("0 0, 1000 0")
RING = lines("0 0, 200 0, 200 200, 0 200, 0 0")
CROSS = lines("0 500, 500 500, 1000 500", "500 0, 500 500, 500 1000")
LOOP = lines("1 1, 3 1, 5 1, 5 3, 5 4, 3 4, 3 1")

Golden = tuple[Lines, Lines, tuple[int, int], tuple[float, float, float]]

GOLDEN: dict[str, Golden] = {
    "itself": (LINE, LINE, (8, 8), (1, 1, 1)),
    "half": (LINE, lines("0 0, 500 0"), (8, 5), (0.214286, 1.0, 0.352941)),
    "moved by 12.8": (LINE, lines("0 12.8, 1000 12.8"), (8, 8), (1, 1, 1)),
    "moved by 13.0": (LINE, lines("0 13, 1000 13"), (8, 8), (0, 0, 0)),
    "gap": (LINE, lines("0 0, 490 0", "510 0, 1000 0"), (8, 10), (0.428571, 1.0, 0.6)),
    "open ring": (RING, lines("0 0, 200 0, 200 200, 0 200"), (8, 5), (0.666667, 0.888889, 0.761905)),
    "lost arm": (
        CROSS,
        lines("0 500, 500 500, 1000 500", "500 0, 500 500"),
        (17, 13),
        (0.573529, 1.0, 0.728972),
    ),
    "no shared vertex": (
        CROSS,
        lines("0 500, 1000 500", "500 0, 500 1000"),
        (17, 16),
        (0.470588, 1.0, 0.64),
    ),
    "false road": (LINE, lines("0 0, 1000 0", "0 300, 1000 300"), (8, 16), (1.0, 0.5, 0.666667)),
    "detour": (
        lines("0 0, 500 0, 1000 0"),
        lines("0 0, 250 8, 500 0, 750 8, 1000 0"),
        (8, 8),
        (0.999176, 0.999488, 0.999332),
    ),
    "self-loop": (LOOP, lines("1 1, 3 1, 5 1, 5 3, 5 4, 3 4", "1 2, 1 3"), (2, 4), (1.0, 0.277778, 0.434783)),
    "grid": (*grid(), (61, 54), (0.739147, 0.908567, 0.815147)),
    # The original scores 0.583333 or 1, depending on the Java runtime (3.7, second fault).
    "crossing midpoints": (
        lines("0 600, 1200 600", "600 0, 600 1200"),
        lines("0 600, 1200 600", "600 0, 600 1200"),
        (18, 18),
        (0.888889, 0.888889, 0.888889),
    ),
}
"""Truth, proposal, nodes with midpoints, and truth onto proposal, proposal onto truth, APLS of ``java``."""
