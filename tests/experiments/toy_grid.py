"""A grid of stages that train nothing; ``python -m`` this runs one row of it, to be killed by a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from components.experiments import session
from components.experiments.grid import Link, Variant
from components.experiments.session import Options, run_grid

STAGE = "tests.experiments.toy_stage"


def toy(name: str, model: str, bundle: str, group: str = "source", **more: Any) -> Variant:
    return Variant(
        name=name,
        label=name,
        group=group,  # type: ignore[arg-type]
        command=(STAGE, bundle, model, name),
        model=model,
        reports=name,
        **more,
    )


TEACHER = Link(method="teacher", model="optical", name="optical")
CONCORD = Link(method="concord", model="sar/concord", name="sar/concord")

GRID = (
    toy("teacher", "optical", "teacher"),
    toy("control", "sar/none", "plain"),
    toy("disoptnet", "sar/disoptnet", "student", links=(TEACHER,)),
    Variant(
        name="disoptnet_branch_s",
        label="branch S",
        group="source",
        command=None,
        model="sar/disoptnet",
        links=(Link(method="disoptnet", model="sar/disoptnet", name="sar/disoptnet"),),
        network={"output": "branch_s"},
    ),
    toy("concord", "sar/concord", "plain", links=(TEACHER,)),
    toy(
        "concord_wide",
        "sar/concord",
        "plain",
        group="ablation",
        links=(TEACHER,),
        overrides={"optical": {"width": 2}},
        compared_with="concord",
    ),
    Variant(
        name="source_only",
        label="source only",
        group="target",
        command=None,
        model="sar/concord",
        links=(CONCORD,),
    ),
    toy("oracle", "adapted", "adapted", group="target", links=(CONCORD,)),
)


def main() -> None:
    """Run in the working directory, for the test that kills the run."""
    session.ROOT = Path("root")  # type: ignore[attr-defined]
    run_grid(Options(store=Path("store"), grid=GRID, methods=("control",), seeds=(1,), jobs=1))


if __name__ == "__main__":
    main()
