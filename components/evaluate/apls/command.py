"""``python -m components.evaluate apls``: proposed road graphs against true ones."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np

from components.contract.errors import BadDataError, ParameterError
from components.evaluate.apls.doubts import doubts
from components.lib.metrics.counts import Counts
from components.lib.roads.apls.rules import COSMIQ, JAVA, PIXEL_M, AplsRules, AplsScore, Definition
from components.lib.roads.apls.score import score_graphs
from components.lib.roads.buffers import BufferSums, sum_buffers
from components.lib.roads.graph.build import build_graph, without_short_parts
from components.lib.roads.graph.drawn import RoadFile
from components.lib.roads.graph.faults import UNREADABLE, Lines, refuse, repaired
from components.lib.roads.graph.files import read_roads
from components.lib.roads.graph.frame import PIXELS, common_frame
from components.lib.roads.topo import TopoRules, count_topo
from components.lib.tasks.names import ROAD_TOLERANCE_M

Mode = Literal["strict", "tolerant"]

_LEAST_PART_PX: Final = 10.0
"""Part of a proposal in pixels that CosmiQ/apls drops if it is shorter."""

_CITY: Final = re.compile(r"AOI_[0-9]+_[A-Za-z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Choices of the command line.

    Attributes:
        definition: ``java`` or ``cosmiq``.
        mode: ``strict`` or ``tolerant``.
        given_pixel_m: Size of a pixel, metres; None for that of SpaceNet 3.
    """

    definition: Definition = "cosmiq"
    mode: Mode = "tolerant"
    given_pixel_m: float | None = None

    def __post_init__(self) -> None:
        if self.definition not in get_args(Definition) or self.mode not in get_args(Mode):
            raise ParameterError(
                f"definition {self.definition!r} or mode {self.mode!r} is unknown",
                next_step="give java or cosmiq, and strict or tolerant",
            )
        if not 0.01 <= self.pixel_m <= 100.0:
            raise ParameterError(
                f"--pixel-m {self.pixel_m:g} is no size of a pixel: 0.01 to 100 metres",
                next_step="give the ground sampling distance of the imagery; SpaceNet 3 has 0.31",
            )

    @property
    def pixel_m(self) -> float:
        """Size of a pixel, metres."""
        return PIXEL_M if self.given_pixel_m is None else self.given_pixel_m

    @property
    def unit_m(self) -> float:
        """Unit that lengths are counted in, metres: a pixel for ``java``."""
        return self.pixel_m if self.definition == "java" else 1.0


def score_files(truth: Path, proposal: Path, choices: Choices) -> dict[str, Any]:
    """Return the scores of a file of proposed roads, ready for JSON.

    Args:
        truth: GeoJSON, or CSV with ``ImageId, WKT_Pix``.
        proposal: A file of the same kind.
        choices: Definition, mode of input and size of a pixel.

    Raises:
        MissingInputError: If a file is missing.
        BadDataError: If a file has a fault that its mode does not repair, naming image and place, the truth
            names no image, or a graph is too large.
        ParameterError: If the files are of two kinds, or a size of pixels is given that nothing counts in.
    """
    files = read_roads(truth), read_roads(proposal)
    if not files[0].images:
        raise BadDataError(
            f"{truth} names no image, so there is nothing to score",
            next_step="give it a row for each image, LINESTRING EMPTY for one without roads",
        )
    frame = common_frame(*files)
    pixels = frame.name == PIXELS
    if choices.given_pixel_m is not None and not (pixels or choices.definition == "java"):
        raise ParameterError(
            f"--pixel-m has no effect: cosmiq counts metres, and the files are in {frame.name[:40]}",
            next_step="leave it out",
        )
    rules = _rules(choices, pixels=pixels)
    factors = choices.pixel_m / choices.unit_m, 1.0 / choices.unit_m
    true, proposed = (
        {image: repaired(roads, close=rules.close, grid=rules.grid) for image, roads in by_image.items()}
        for by_image in (frame.roads(file, *factors) for file in files)
    )
    _refuse(files, (true, proposed), choices)
    found = {
        image: _score(lines, proposed.get(image, Lines([], [])), rules, choices)
        for image, lines in sorted(true.items())
    }
    return {
        **_as_dict(_mean({image: scores.apls for image, scores in found.items()})),
        "definition": choices.definition,
        "mode": choices.mode,
        "coordinates": frame.name,
        "pixel_m": choices.pixel_m if choices.definition == "java" or pixels else None,
        "images": {image: _as_dict(scores.apls) for image, scores in found.items() if image},
        "not_proposed": sorted(true.keys() - proposed.keys()),
        "not_scored": sorted(proposed.keys() - true.keys()),
        "topo": _topo(sum((scores.topo for scores in found.values()), Counts(0, 0, 0))),
        "relaxed": _relaxed(sum((scores.buffers for scores in found.values()), BufferSums())),
        "repairs": {"truth": _repairs(true), "proposal": _repairs(proposed)},
        "left_out": {"truth": dict(files[0].left_out), "proposal": dict(files[1].left_out)},
        "warnings": [*frame.warnings, *doubts(true, proposed, rules.snap)],
    }


@dataclass(frozen=True, slots=True)
class _Scores:
    apls: AplsScore
    topo: Counts
    buffers: BufferSums


def _rules(choices: Choices, *, pixels: bool) -> AplsRules:
    if choices.definition == "java":
        return JAVA
    return replace(COSMIQ, least_part_proposal=_LEAST_PART_PX * choices.pixel_m) if pixels else COSMIQ


def _score(truth: Lines, proposal: Lines, rules: AplsRules, choices: Choices) -> _Scores:
    graphs = (
        without_short_parts(build_graph(truth.lines, rules.grid), rules.least_part),
        without_short_parts(build_graph(proposal.lines, rules.grid), rules.least_part_proposal),
    )
    per_metre = 1.0 / choices.unit_m
    return _Scores(
        score_graphs(*graphs, rules),
        count_topo(*graphs, TopoRules().scaled(per_metre)),
        sum_buffers(truth.lines, proposal.lines, ROAD_TOLERANCE_M * per_metre),
    )


def _refuse(files: tuple[RoadFile, RoadFile], lines: Sequence[Mapping[str, Lines]], choices: Choices) -> None:
    """Refuse all faults in ``strict`` and in the truth of ``java``, else those of the truth beyond repair."""
    strict = choices.mode == "strict"
    why = "the mode is strict" if strict else "the truth must have none"
    beyond_repair = not strict and choices.definition == "cosmiq"
    _refuse_file(files[0], lines[0], why, beyond_repair=beyond_repair)
    if strict:
        _refuse_file(files[1], lines[1], why, beyond_repair=False)


def _refuse_file(file: RoadFile, lines: Mapping[str, Lines], why: str, *, beyond_repair: bool) -> None:
    found = {
        image: [fault for fault in one.faults if fault.kind == UNREADABLE or not beyond_repair]
        for image, one in lines.items()
    }
    refuse(found, str(file.path), why)


def _mean(scores: Mapping[str, AplsScore]) -> AplsScore:
    """Return the mean over images within each city, then over cities, as SpaceNet 3 takes it."""
    cities: dict[str, list[tuple[float, float, float]]] = {}
    for image, score in scores.items():
        city = _CITY.search(image)
        values = (score.apls, score.truth_onto_proposal, score.proposal_onto_truth)
        cities.setdefault(city[0] if city else "", []).append(values)
    mean = np.mean([np.mean(values, axis=0) for values in cities.values()], axis=0).tolist()
    return AplsScore(*mean)


def _as_dict(score: AplsScore) -> dict[str, float]:
    return {
        "apls": score.apls,
        "truth_onto_proposal": score.truth_onto_proposal,
        "proposal_onto_truth": score.proposal_onto_truth,
    }


def _topo(counts: Counts) -> dict[str, Any]:
    return {
        "precision": counts.precision,
        "recall": counts.recall,
        "f1": counts.f1,
        "tp": counts.tp,
        "fp": counts.fp,
        "fn": counts.fn,
    }


def _relaxed(sums: BufferSums) -> dict[str, Any]:
    return {"tolerance_m": ROAD_TOLERANCE_M, "length": sums.by_length(), "area": sums.by_area()}


def _repairs(lines: Mapping[str, Lines]) -> dict[str, int]:
    total = sum((one.counts() for one in lines.values()), Counter[str]())
    return dict(sorted(total.items()))
