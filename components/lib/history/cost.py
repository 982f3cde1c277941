"""Cost of trainings: seconds, bytes, money by a price table, energy by a stated model.

GPU- and CPU-seconds are what a stage held: the time from its start to its end, times what ``dvc.yaml`` asks
for. A node is paid for that, busy or not. Energy is the same seconds times the stated power: an estimate from
above for hardware that idles below it, and no measurement. Failed attempts leave no start; they are counted
and not priced.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Self

from pydantic import Field

from components.lib.config.loader import Parameters
from components.lib.history.facts import RunFacts, StageFacts

HOUR = 3600.0
GB = 1e9
JOULES_PER_KWH = 3.6e6


class CostParameters(Parameters):
    """Section ``cost``: price table and power model.

    Attributes:
        currency: Name of the currency.
        gpu_hour: Price of a GPU for an hour.
        cpu_hour: Price of a CPU core for an hour.
        stored_gb_month: Price of 10^9 bytes in the object store for 30 days.
        moved_gb: Price of 10^9 bytes between object store and pods.
        gpu_w: Power of a GPU that a stage holds, watts.
        cpu_w: Power of a CPU core that a stage holds, watts.
        overhead: Facility energy over IT energy (PUE).
    """

    currency: str = Field(default="EUR", pattern=r"^[A-Za-z]{1,8}$")
    gpu_hour: float = Field(default=2.5, ge=0)
    cpu_hour: float = Field(default=0.04, ge=0)
    stored_gb_month: float = Field(default=0.023, ge=0)
    moved_gb: float = Field(default=0.0, ge=0)
    gpu_w: float = Field(default=500.0, ge=0)
    cpu_w: float = Field(default=8.0, ge=0)
    overhead: float = Field(default=1.3, ge=1)

    def held(self, gpu_seconds: float, cpu_seconds: float) -> float:
        """Return the price of GPUs and CPU cores that were held, in the currency."""
        return gpu_seconds / HOUR * self.gpu_hour + cpu_seconds / HOUR * self.cpu_hour

    def joules(self, gpu_seconds: float, cpu_seconds: float) -> float:
        """Return the energy by the power model of GPUs and CPU cores that were held, joules."""
        return (gpu_seconds * self.gpu_w + cpu_seconds * self.cpu_w) * self.overhead


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Cost of stages together; costs add up.

    Attributes:
        gpu_seconds: GPUs held, times seconds.
        cpu_seconds: CPU cores held, times seconds.
        stored_bytes: Bytes of the results, each content once.
        moved_bytes: Bytes that were pulled and pushed.
        work: Price of GPUs, CPUs and moved bytes, in the table's currency.
        storage: Price of the stored bytes for 30 days.
        kwh: Energy by the power model, kilowatt-hours.
        unpriced: Stages without times, or that the present graph does not know: they cost nothing above.
        failed_attempts: Failed attempts, which are counted alone.
    """

    gpu_seconds: float = 0.0
    cpu_seconds: float = 0.0
    stored_bytes: int = 0
    moved_bytes: int = 0
    work: float = 0.0
    storage: float = 0.0
    kwh: float = 0.0
    unpriced: int = 0
    failed_attempts: int = 0

    def __add__(self, other: Self) -> Self:
        names = [one.name for one in fields(self)]
        return type(self)(**{name: getattr(self, name) + getattr(other, name) for name in names})


def cost_of_run(run: RunFacts, prices: CostParameters) -> Cost:
    """Return what a run's own stages cost; what it found from earlier runs is theirs.

    Args:
        run: The run.
        prices: Price table and power model.
    """
    stages = run.own_stages
    stored = _contents(stages)
    moved = sum(_moved(one) for one in stages)
    return Cost(
        gpu_seconds=run.gpu_seconds,
        cpu_seconds=run.cpu_seconds,
        stored_bytes=stored,
        moved_bytes=moved,
        work=prices.held(run.gpu_seconds, run.cpu_seconds) + moved / GB * prices.moved_gb,
        storage=stored / GB * prices.stored_gb_month,
        kwh=prices.joules(run.gpu_seconds, run.cpu_seconds) / JOULES_PER_KWH,
        unpriced=sum(one.duration is None or one.cpus is None for one in stages),
        failed_attempts=len([one for one in run.failures if one.run == run.run]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """Promoted model, and what it took.

    Attributes:
        run: Run that promoted it.
        cost: Cost of all runs that ended since the promotion before it, that run and refused and failed ones
            included.
        runs: Number of these runs.
    """

    run: RunFacts
    cost: Cost
    runs: int


def promotions(runs: Iterable[RunFacts], prices: CostParameters) -> tuple[list[Promotion], Cost]:
    """Divide the runs by the promotions that they led to.

    Args:
        runs: Ended runs in any order; those without an end are left out.
        prices: Price table and power model.

    Returns:
        Promotions, oldest first, and the cost of the runs since the last one.
    """
    ended = [(run.ended, run) for run in runs if run.ended is not None]
    found: list[Promotion] = []
    since, count = Cost(), 0
    for _, run in sorted(ended, key=lambda pair: (pair[0], pair[1].run)):
        since, count = since + cost_of_run(run, prices), count + 1
        if run.promoted:
            found.append(Promotion(run=run, cost=since, runs=count))
            since, count = Cost(), 0
    return found, since


def per_square_kilometre(work: float, km2: float) -> float | None:
    """Return a price per mapped square kilometre; None if nothing is mapped."""
    return work / km2 if km2 > 0 else None


def _contents(stages: Sequence[StageFacts]) -> int:
    """Return the bytes of all outputs, each content once."""
    sizes = {md5: one.sizes.get(path, 0) for one in stages for path, md5 in one.outputs.items()}
    return sum(sizes.values())


def _moved(stage: StageFacts) -> int:
    """Return the bytes that a stage pulled and pushed; one whose results were found moved nothing."""
    return 0 if stage.restored else sum(stage.sizes.get(path, 0) for path in (*stage.inputs, *stage.outputs))
