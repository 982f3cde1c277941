"""The two definitions of APLS, and a score.

"APLS" is several different numbers. ``java`` is the official scorer of SpaceNet 3, which PP-LinkNet reports;
``cosmiq`` is the Python package CosmiQ/apls. The Go program of the graph-extraction papers (Sat2Graph and
successors) is a third one and not here. Source: docs/methods/metrics.md, "Graph metrics".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Definition = Literal["java", "cosmiq"]

PIXEL_M: Final = 0.31
"""Size of a pixel that the constants of the Java scorer are for, metres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AplsRules:
    """Constants and choices of a definition; all lengths in the unit of the coordinates.

    Attributes:
        definition: ``java`` or ``cosmiq``.
        spacing: Largest distance between control points on an edge.
        snap: Largest distance between a control point and its image on the other graph.
        grid: Vertices that round to the same multiple are one node; 0 joins equal ones alone.
        close: Successive vertices nearer than this are one; equal ones always are.
        same: Distance below which a control point takes an existing node for its image; 0 never does.
        least_path: Shortest path that counts.
        least_part: Connected parts with no path of this length are left out of the truth.
        least_part_proposal: The same for the proposal.
    """

    definition: Definition
    spacing: float
    snap: float
    grid: float = 0.0
    close: float = 0.0
    same: float = 0.0
    least_path: float = 0.0
    least_part: float = 0.0
    least_part_proposal: float = 0.0

    def midpoints(self, length: float) -> int:
        """Return the number of control points within an edge of ``length``."""
        if length < 0.75 * self.spacing:
            return 0
        whole = int(length // self.spacing)
        if self.definition == "cosmiq" and whole * self.spacing == length:
            whole -= 1
        return max(whole, 1)


JAVA: Final = AplsRules(
    definition="java", spacing=50.0 / PIXEL_M, snap=4.0 / PIXEL_M, grid=0.1, close=0.01, same=0.1
)
"""SpaceNet 3's Java scorer, in pixels of 0.31 m."""

COSMIQ: Final = AplsRules(
    definition="cosmiq",
    spacing=50.0,
    snap=4.0,
    least_path=0.001,
    least_part=5.0,
    least_part_proposal=5.0,
)
"""CosmiQ/apls as its command line sets it, in metres."""


@dataclass(frozen=True, slots=True)
class AplsScore:
    """Score of one pair of graphs, or the mean of several.

    Attributes:
        apls: Harmonic mean of both directions; 0 if their sum is 0.
        truth_onto_proposal: Paths of the truth, looked for in the proposal: falls with what is missing.
        proposal_onto_truth: Paths of the proposal, looked for in the truth: falls with what is false.
    """

    apls: float
    truth_onto_proposal: float
    proposal_onto_truth: float

    @classmethod
    def of_directions(cls, truth_onto_proposal: float, proposal_onto_truth: float) -> AplsScore:
        """Return the score made of both directions."""
        total = truth_onto_proposal + proposal_onto_truth
        apls = 2 * truth_onto_proposal * proposal_onto_truth / total if total > 0 else 0.0
        return cls(apls, truth_onto_proposal, proposal_onto_truth)
