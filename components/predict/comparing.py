"""Command ``compare`` of the DAG ``map``: the changes of each map that a run has published."""

from __future__ import annotations

import logging

from components.contract.errors import StormsightError
from components.lib.catalogue.maps import Catalogue
from components.lib.cli import report_result
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.operations import Operations
from components.predict.changes.publishing import Comparison, MapComparer
from components.predict.outcomes import nothing, together
from components.predict.planning import MapPlan, read_map_plan

LOG = logging.getLogger(__name__)


def compare_run(objects: ObjectStore, run: str, *, geopackage: bool = False) -> int:
    """Compare each map of a run with the last earlier one of its ground; report it.

    Maps that the run has not published are passed over: ``merge`` has told why. A comparison that fails
    leaves the maps, and the other comparisons, as they are.

    Args:
        objects: Store of ledgers and maps.
        run: Key-safe name of the run.
        geopackage: True to write GeoPackages, too.

    Returns:
        0, or 99 if no map of the run has an earlier one.

    Raises:
        StormsightError: What failed, after the other maps were compared.
        MissingInputError: If the run was never planned.
    """
    plan = read_map_plan(objects, run)
    found, failures = _compared(objects, plan, geopackage=geopackage)
    if failures:
        raise together(failures)
    made = {name: comparison for name, comparison in found.items() if comparison is not None}
    alone = [name for name, comparison in found.items() if comparison is None]
    if not made:
        words = f"no earlier map shows the ground of {', '.join(alone)}" if alone else "the run made no map"
        return nothing(words, "none")
    report_result({"changes": {name: _facts(one) for name, one in made.items()}, "nothing_earlier": alone})
    return 0


def compare_quietly(objects: ObjectStore, run: str, *, geopackage: bool = False) -> None:
    """Do the same where nobody waits for a report, as after ``remap``."""
    _, failures = _compared(objects, read_map_plan(objects, run), geopackage=geopackage)
    if failures:
        raise together(failures)


def _compared(
    objects: ObjectStore, plan: MapPlan, *, geopackage: bool
) -> tuple[dict[str, Comparison | None], dict[str, StormsightError]]:
    """Return the comparisons, and what failed, by acquisition."""
    comparer, catalogue = MapComparer(objects, geopackage=geopackage), Catalogue(objects)
    withdrawn = Operations(objects).state().withdrawn
    found: dict[str, Comparison | None] = {}
    failures: dict[str, StormsightError] = {}
    for planned in plan.maps:
        name = planned.acquisition.id
        if not catalogue.has(planned.id):
            LOG.info("%s has no map to compare", name)
            continue
        try:
            found[name] = comparison = comparer.compare(planned.id, withdrawn)
            if comparison is not None:
                LOG.info("%s: changes %s: %s", name, comparison.words, comparison.page)
        except StormsightError as error:
            LOG.error("changes of map %s: %s", planned.id, error)
            failures[name] = error
    return found, failures


def _facts(comparison: Comparison) -> dict[str, object]:
    return {
        "before": comparison.before,
        **comparison.counts,
        "unobserved": comparison.unobserved,
        "same_model": comparison.same_model,
    }
