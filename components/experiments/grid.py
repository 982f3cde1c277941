"""Grid of methods: the stage, upstream models and parameter overrides of each row.

Every row is one :class:`Variant`; a *trial* (in output and reports: a cell) is a row with a seed. A row
names the stage's command line and its changes to ``params.yaml``, nothing else: the pipeline's own code is
measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal

from components.contract.errors import ParameterError

Group = Literal["source", "ablation", "target"]
Overrides = Mapping[str, Any]

OURS = "concord"
"""Method of ours, compared with all others."""

ADAPTED_FROM = "concord"
"""Method whose network is adapted to the target sensor."""

NEITHER: Overrides = {"normalisation": "shared", "inputs": "shared"}
MOMENTS: Overrides = {"normalisation": "shared", "inputs": "per_sensor"}
CSN: Overrides = {"normalisation": "per_sensor", "inputs": "shared"}
BOTH: Overrides = {"normalisation": "per_sensor", "inputs": "per_sensor"}
"""Parts of the adaptation that need images alone: the target's normalisation statistics, which are CSN, and
the moments of its input."""

WORLDS: Mapping[str, Overrides] = {"base": {}, "float16": {"prepare": {"sar_dtype": "float16"}}}
"""Prepared stores by name, and what differs from the profile's; all are prepared from one download."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An upstream model of the same seed.

    Attributes:
        method: Row of the grid that trains it.
        model: Folder below that trial's ``models``.
        name: Folder below this trial's ``models`` where it appears.
    """

    method: str
    model: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One row of the grid: a method with its changes to the parameters.

    Attributes:
        name: Name in files and on the command line.
        label: Name in tables and plots.
        group: ``source`` and ``ablation`` are scored on the sensor with labels, ``target`` on the other.
        command: Module and arguments of the stage; None where nothing is trained, only scored.
        model: Folder of the result below the trial's ``models``.
        reports: Folder below the trial's ``reports`` where the stage leaves ``details.json``.
        links: Upstream models.
        overrides: Overlay on the profile's sections.
        times: Steps as a multiple of the budget (``distill.epochs``).
        network: Overlay on the linked bundle's configuration, where nothing is trained.
        world: Key of ``WORLDS``.
        compared_with: Row with the part that an ablation leaves out; None for other groups.
    """

    name: str
    label: str
    group: Group
    command: tuple[str, ...] | None
    model: str
    reports: str = ""
    links: tuple[Link, ...] = ()
    overrides: Overrides = field(default_factory=dict)
    times: int = 1
    network: Overrides = field(default_factory=dict)
    world: str = "base"
    compared_with: str | None = None


def _student(method: str) -> Link:
    """Link to the network of the distillation method of that name, where the stages look for it."""
    return Link(method=method, model=f"sar/{method}", name=f"sar/{method}")


def _optical(method: str, kind: str) -> Link:
    """Link to the teacher of that kind, where the stages look for it."""
    return Link(method=method, model=f"optical/{kind}", name=f"optical/{kind}")


def _teacher(name: str, label: str, kind: str) -> Variant:
    return Variant(
        name=name,
        label=label,
        group="source",
        command=("components.optical", "--kind", kind),
        model=f"optical/{kind}",
        reports=f"optical/{kind}",
    )


def _scored(name: str, label: str, method: str, *, group: Group = "source", **network: str) -> Variant:
    """Row that scores another row's student again: reconfigured, or on the other sensor."""
    return Variant(
        name=name,
        label=label,
        group=group,
        command=None,
        model=f"sar/{method}",
        links=(_student(method),),
        network=network,
    )


def _distill(
    name: str,
    label: str,
    method: str,
    *,
    group: Group = "source",
    links: tuple[Link, ...] | None = None,
    overrides: Overrides | None = None,
    times: int = 1,
    world: str = "base",
    compared_with: str | None = None,
) -> Variant:
    teacher = () if method == "none" else (_optical("teacher", "deeplabv3plus"),)
    return Variant(
        name=name,
        label=label,
        group=group,
        command=("components.distill", "--method", method),
        model=f"sar/{method}",
        reports=f"distill/{method}",
        links=teacher if links is None else links,
        overrides=overrides or {},
        times=times,
        world=world,
        compared_with=compared_with,
    )


def _without(part: str, label: str, switches: Overrides) -> Variant:
    return _distill(
        f"{OURS}_no_{part}",
        f"{OURS} without {label}",
        OURS,
        group="ablation",
        overrides={"methods": {OURS: switches}},
        compared_with=OURS,
    )


def _adapt(name: str, label: str, **switches: Any) -> Variant:  # noqa: ANN401 - values of params.yaml
    return Variant(
        name=name,
        label=label,
        group="target",
        command=("components.adapt",),
        model="adapted",
        reports="adapt",
        links=(_student(ADAPTED_FROM),),
        overrides={"adapt": {"start_from": ADAPTED_FROM, **switches}},
    )


_PARTS: tuple[tuple[str, str, Overrides], ...] = (
    ("init", "the teacher's weights", {"start": "scratch"}),
    ("soft", "the teacher's probabilities", {"soft": 0.0}),
    ("ramp", "their ramp", {"ramp": 0.0}),
    ("channelwise", "channel-wise maps", {"channelwise": 0.0}),
    ("relation", "relations", {"relation": 0.0}),
    ("trust", "trust only where it is right", {"trusted": False}),
    ("masks", "layover and no-data masks", {"masked": False}),
)
"""Parts of ours: name, description, and the switches below ``methods.<ours>`` that leave it out."""

GRID: tuple[Variant, ...] = (
    _teacher("teacher", "optical teacher", "deeplabv3plus"),
    _distill("control", "SAR-only control", "none"),
    # Whoever starts from the teacher's weights has had the teacher's steps as well.
    _distill("control_twice", "control with twice the steps", "none", times=2),
    _distill("optical_init", "control from the teacher's weights", "optical_init"),
    _distill("disoptnet", "DisOptNet", "disoptnet"),
    _distill(
        "disoptnet_released",
        "DisOptNet, soft labels in full from step 0 (as released)",
        "disoptnet",
        group="ablation",
        overrides={"methods": {"disoptnet": {"soft_ramp": 0.0}}},
        compared_with="disoptnet",
    ),
    _scored("disoptnet_branch_s", "DisOptNet, branch S alone at test", "disoptnet", output="branch_s"),
    _teacher("teacher_hfd", "optical teacher of HFD-Net's kind", "hfd_reading"),
    _distill(
        "hfd_reading",
        "HFD-Net, our reading",
        "hfd_reading",
        links=(_optical("teacher_hfd", "hfd_reading"),),
    ),
    _distill(OURS, f"{OURS} (ours)", OURS),
    _scored(f"{OURS}_branch_s", f"{OURS}, branch S alone at test", OURS, output="branch_s"),
    *(_without(part, label, switches) for part, label, switches in _PARTS),
    _distill(
        "control_no_contours",
        "control without contours",
        "none",
        group="ablation",
        overrides={"training": {"contour_weight": 0.0}},
        compared_with="control",
    ),
    _distill(
        "control_float16",
        "control on 16-bit SAR",
        "none",
        group="ablation",
        world="float16",
        compared_with="control",
    ),
    _scored("source_only", "source only", ADAPTED_FROM, group="target"),
    _adapt("moments_only", "input moments alone", labels="none", **MOMENTS),
    _adapt("csn_only", "CSN alone", labels="none", **CSN),
    _adapt("csn_moments", "CSN and input moments", labels="none", **BOTH),
    _adapt("self_training", "self-training alone", **NEITHER),
    _adapt("csn_self_training", "CSN, input moments and self-training", **BOTH),
    _adapt("csn_self_training_stems", "the same with a stem per sensor", **BOTH, stems="per_sensor"),
    _adapt("oracle", "oracle (the target's own labels)", **BOTH, labels="truth"),
)


@dataclass(frozen=True, slots=True, order=True)
class TrialName:
    """A row with a seed; sorted by seed, so that complete comparisons exist early."""

    seed: int
    method: str

    def __str__(self) -> str:
        return f"{self.method}, seed {self.seed}"


def by_name(grid: Sequence[Variant] = GRID) -> dict[str, Variant]:
    """Return rows by name."""
    return {method.name: method for method in grid}


def chosen(names: Iterable[str] | None, grid: Sequence[Variant] = GRID) -> list[Variant]:
    """Return the named rows and all they start from, in the order of the grid; None is all.

    Raises:
        ParameterError: If there is no such row, naming the nearest.
    """
    rows = by_name(grid)
    pending, wanted = list(rows if names is None else names), set[str]()
    while pending:
        name = pending.pop()
        if name not in rows:
            nearest = get_close_matches(name, rows, n=1, cutoff=0.0)[0]
            raise ParameterError(
                f"--methods: no row {name!r} in the grid; the nearest is {nearest!r}",
                next_step=f"use some of {', '.join(rows)}",
            )
        if name not in wanted:
            wanted.add(name)
            pending += [link.method for link in rows[name].links]
    return [method for method in grid if method.name in wanted]


def trials_of(
    methods: Sequence[Variant], seeds: Sequence[int], ablation_seeds: Sequence[int]
) -> list[TrialName]:
    """Return every method with its seeds, seed by seed, in the order of the grid."""
    return [
        TrialName(seed, method.name)
        for seed in seeds
        for method in methods
        if method.group != "ablation" or seed in ablation_seeds
    ]
