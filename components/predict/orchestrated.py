"""Maps of registered acquisitions, made by several processes that share nothing but the object store.

``plan`` decides by the ledgers which maps are missing and checks their tiles, ``group`` maps the blocks of
one share, ``merge`` writes and publishes the maps. Each of them may be killed and repeated: plan, inventory
of tiles, blocks and item are objects that are created once, and what exists is not made again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from components.contract.errors import (
    BadDataError,
    MissingInputError,
    ParameterError,
    StormsightError,
)
from components.contract.keys import (
    MAP_WORK,
    delivery_prefix,
    map_blocks_prefix,
    map_inventory_key,
    map_plan_key,
)
from components.contract.temporary import scratch_folder
from components.lib.catalogue.maps import Catalogue
from components.lib.cli import report_result
from components.lib.foreign import read_json_text
from components.lib.objects.conditional import require_conditional_writes
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import create_sealed, unseal
from components.lib.operations.decisions import taken_by
from components.lib.operations.operations import Operations
from components.lib.operations.plan import Acquisition
from components.predict.changes.publishing import MapComparer
from components.predict.mapper import Delivery, Mapper, OpenedMap
from components.predict.outcomes import nothing, together
from components.predict.planning import (
    MapPlan,
    ModelPin,
    PlannedMap,
    champion_pin,
    divide,
    known_sensors,
    map_id,
    read_map_plan,
)

LOG = logging.getLogger(__name__)


class Command:
    """The three commands on one object store.

    Args:
        objects: Store of ledgers, deliveries and maps.
        mapper: Means of mapping.
        run: Key-safe name of the run.
    """

    def __init__(self, objects: ObjectStore, mapper: Mapper, run: str) -> None:
        self._objects = objects
        self._catalogue = Catalogue(objects)
        self._mapper = mapper
        self._run = run

    # ---------------------------------------------------------------- plan

    def plan(self, groups: int, chosen: Sequence[str] | None = None) -> int:
        """Plan the maps that are missing; a run that has a plan keeps it.

        Args:
            groups: Number of groups that the blocks are divided into, at most.
            chosen: Acquisitions to map; None for all that are registered and not withdrawn.

        Returns:
            0, or 99 if there is nothing to map.

        Raises:
            BadDataError: If a ledger is broken, or every acquisition without a map cannot be mapped.
            ParameterError: If an acquisition that was chosen is unknown or withdrawn.
            SourceUnavailableError: If a store does not answer.
        """
        require_conditional_writes(self._objects)
        if self._objects.exists(map_plan_key(self._run)):
            return self._told(read_map_plan(self._objects, self._run))
        model = champion_pin(self._objects)
        if model is None:
            return nothing("there is no champion to map with", "promote a model first: run the DAG `retrain`")
        missing = self._without_map(model, chosen)
        if not missing:
            words = f"every acquisition has its map by version {model.version} of {model.name}"
            return nothing(words, "none")
        known = known_sensors(self._objects, model)
        maps, failures = list[PlannedMap](), dict[str, StormsightError]()
        for name, (acquisition, marker) in missing.items():
            try:
                maps.append(self._planned(name, acquisition, marker, model, known))
            except (BadDataError, MissingInputError, ParameterError) as error:
                if self._published_meanwhile(name):
                    continue
                LOG.warning("%s is left out: %s", acquisition.id, error)
                failures[acquisition.id] = error
        if failures and not maps:
            raise together(failures)
        if not maps:
            return nothing("another run has published the maps that were missing", "none")
        left_out = {name: error.message for name, error in failures.items()}
        plan = MapPlan(
            run=self._run, model=model, maps=tuple(maps), groups=divide(maps, groups), left_out=left_out
        )
        return self._told(plan.write(self._objects))

    def _without_map(
        self, model: ModelPin, chosen: Sequence[str] | None
    ) -> dict[str, tuple[Acquisition, str]]:
        """Return the acquisitions without a map by ``model``, with their markers' hashes, by map id."""
        state = Operations(self._objects).state()
        found: dict[str, tuple[Acquisition, str]] = {}
        for acquisition, sha256 in taken_by(state, chosen).items():
            marker = state.registered[acquisition].marker_sha256
            name = self._id(acquisition, marker, model)
            if not self._catalogue.has(name):
                found[name] = Acquisition(acquisition, sha256), marker
        return found

    def _planned(
        self, name: str, acquisition: Acquisition, marker: str, model: ModelPin, known: Sequence[str]
    ) -> PlannedMap:
        delivery = self._delivery(acquisition, marker)
        _require_known_sensor(delivery, model, known)
        with self._opened(name, delivery, model) as opened:
            blocks = opened.blocks
        return PlannedMap(id=name, acquisition=acquisition, marker_sha256=marker, blocks=blocks)

    def _told(self, plan: MapPlan) -> int:
        names = [one.acquisition.id for one in plan.maps]
        number = sum(len(one.blocks) for one in plan.maps)
        LOG.info(
            "run %s maps %s with version %s of %s: %d blocks in %d groups",
            plan.run,
            ", ".join(names),
            plan.model.version,
            plan.model.name,
            number,
            len(plan.groups),
        )
        report_result({"maps": names, "blocks": number, "left_out": plan.left_out})
        return 0

    # ---------------------------------------------------------------- group

    def group(self, number: int) -> int:
        """Map the blocks of one group; those that exist are skipped.

        Args:
            number: Number of the group, from 0.

        Returns:
            0, or 99 if the plan has no such group.

        Raises:
            StormsightError: What failed, after the blocks of the other maps were mapped.
            MissingInputError: If the run was never planned.
        """
        plan = read_map_plan(self._objects, self._run)
        if not 0 <= number < len(plan.groups):
            return nothing(f"the plan has {len(plan.groups)} groups, so none of number {number}", "none")
        self._require_planned_code(plan)

        def work(planned: PlannedMap, numbers: range) -> None:
            with self._reopened(planned, plan.model) as opened:
                opened.map_blocks(numbers, self._objects, map_blocks_prefix(planned.id))

        shares = {share.map: share.numbers for share in plan.groups[number]}
        planned = {one.id: one for one in plan.maps}
        self._each(
            [planned[name] for name in shares if not self._catalogue.has(name)],
            lambda one: work(one, shares[one.id]),
        )
        report_result({"blocks": sum(map(len, shares.values()))})
        return 0

    # ---------------------------------------------------------------- merge

    def merge(self) -> int:
        """Write and publish the maps whose blocks are there, then remove the blocks.

        Raises:
            MissingInputError: If blocks of a map are missing, naming them; or if the run was never planned.
            BadDataError: If acquisitions were left out of the plan. The other maps are finished first.
            StormsightError: What else failed, likewise.
        """
        plan = read_map_plan(self._objects, self._run)
        self._require_planned_code(plan)
        finished: list[str] = []

        def finish(planned: PlannedMap) -> None:
            if not self._catalogue.has(planned.id):
                with self._reopened(planned, plan.model) as opened:
                    self._publish(planned, opened)
            MapComparer(self._objects).announce(planned.id)  # also after a try that was killed before it
            for info in self._objects.list(f"{MAP_WORK}{planned.id}/"):
                self._objects.delete(info.key)
            finished.append(planned.id)

        left_out = {
            name: BadDataError(f"{name} cannot be mapped: {why}", next_step=_withdraw(name))
            for name, why in plan.left_out.items()
        }
        try:
            self._each(plan.maps, finish, left_out)
        finally:
            # Also where another process was first, or was killed between the item and the documents.
            self._catalogue.rebuild()
            LOG.info("finished maps: %s", ", ".join(finished) or "none")
        report_result({"maps": finished})
        return 0

    def _publish(self, planned: PlannedMap, opened: OpenedMap) -> None:
        """Write a map's files and publish them; of two processes one makes the map."""
        prefix = map_blocks_prefix(planned.id)
        if missing := opened.missing(self._objects, prefix):
            raise MissingInputError(
                f"map {planned.id}: {len(missing)} of {len(planned.blocks)} blocks are missing: "
                f"{_numbers(missing)}",
                next_step="clear the failed tasks `group` of this run, or start another: it maps these alone",
            )
        with scratch_folder("map") as folder:
            out = folder / planned.id
            item = opened.finish(self._objects, prefix, out)
            files = {path.name: path for path in out.iterdir()}
            if not self._catalogue.add_map(item, files, planned.id, acquisition=planned.acquisition.id):
                LOG.info("map %s was published by another process", planned.id)

    # ---------------------------------------------------------------- parts of all three

    def _id(self, acquisition: str, marker: str, model: ModelPin) -> str:
        return map_id(acquisition, marker, model, self._mapper.parameters_sha256, self._mapper.code)

    def _delivery(self, acquisition: Acquisition, marker: str) -> Delivery:
        entry = read_json_text(acquisition.entry(self._objects), acquisition.object_key)
        if not isinstance(entry, dict):
            raise BadDataError(
                f"{acquisition.object_key} is no catalogue entry", next_step=_withdraw(acquisition.id)
            )
        uri = f"{self._objects.uri}/{delivery_prefix(acquisition.id, marker)}"
        return Delivery(acquisition=acquisition.id, uri=uri, entry=entry)

    @contextmanager
    def _opened(self, map_id: str, delivery: Delivery, model: ModelPin) -> Iterator[OpenedMap]:
        """Open the map of a delivery; what was fetched for it goes when the block ends."""
        inventory = self._inventory(map_id, delivery)
        with scratch_folder("scenes") as scratch:
            yield self._mapper.open(map_id, delivery, inventory, model, scratch)

    def _inventory(self, map_id: str, delivery: Delivery) -> Mapping[str, Any]:
        """Return the inventory of a delivery's tiles; the first call reads and checks all of them."""
        key = map_inventory_key(map_id)
        if not self._objects.exists(key):
            with scratch_folder("scenes") as scratch:
                create_sealed(self._objects, key, self._mapper.check(delivery, scratch))
        return unseal(self._objects.get(key), name=f"{self._objects.uri}/{key}")

    @contextmanager
    def _reopened(self, planned: PlannedMap, model: ModelPin) -> Iterator[OpenedMap]:
        """Open a planned map again.

        Raises:
            BadDataError: If its scenes give another grid than they did when it was planned.
        """
        delivery = self._delivery(planned.acquisition, planned.marker_sha256)
        with self._opened(planned.id, delivery, model) as opened:
            if opened.blocks != planned.blocks:
                raise BadDataError(
                    f"{planned.acquisition.id}: its scenes give another grid than the plan: "
                    f"{opened.blocks}, not {planned.blocks}",
                    next_step=f"remove {self._objects.uri}/{map_inventory_key(planned.id)}, then start a new "
                    "run",
                )
            yield opened

    def _published_meanwhile(self, map_id: str) -> bool:
        """Return whether another process has published a map, and so removed its blocks and its inventory."""
        if not self._catalogue.has(map_id):
            return False
        LOG.info("map %s was published by another process", map_id)
        return True

    def _require_planned_code(self, plan: MapPlan) -> None:
        """Refuse to go on with other code or parameters, as a deployment amid a run would."""
        for one in plan.maps:
            if self._id(one.acquisition.id, one.marker_sha256, plan.model) != one.id:
                raise ParameterError(
                    f"run {plan.run} was planned with other code or parameters of mapping",
                    next_step="start a new run: it plans with those that are here",
                )

    def _each(
        self,
        maps: Iterable[PlannedMap],
        work: Callable[[PlannedMap], None],
        before: Mapping[str, StormsightError] | None = None,
    ) -> None:
        """Do ``work`` for every map; raise what failed, with failures from before, at the end."""
        failures = dict(before or {})
        for planned in maps:
            try:
                work(planned)
            except StormsightError as error:
                if isinstance(error, MissingInputError) and self._published_meanwhile(planned.id):
                    continue
                LOG.error("map %s: %s", planned.id, error)
                failures[planned.acquisition.id] = error
        if failures:
            raise together(failures)


def _require_known_sensor(delivery: Delivery, model: ModelPin, known: Sequence[str]) -> None:
    """Check that the model knows the delivery's sensor, where it is told which ones it knows.

    Raises:
        ParameterError: If it does not: otherwise groups would find that out, when the network is loaded.
    """
    sensor = delivery.entry.get("sensor") if isinstance(delivery.entry, dict) else None
    if known and sensor is not None and sensor not in known:
        raise ParameterError(
            f"{delivery.acquisition} is of {sensor}; version {model.version} of {model.name} knows "
            f"{', '.join(known)}",
            next_step="promote a model that was adapted to that sensor",
        )


def _withdraw(acquisition: str) -> str:
    return (
        f"withdraw it (`python -m components.acquisitions withdraw {acquisition} --reason ...`), or land it "
        "corrected under a new id"
    )


def _numbers(blocks: Sequence[int], most: int = 20) -> str:
    """Return the first numbers of a list as text."""
    more = f" and {len(blocks) - most} more" if len(blocks) > most else ""
    return ", ".join(map(str, blocks[:most])) + more
