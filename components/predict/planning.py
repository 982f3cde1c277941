"""Sealed plan of a run that makes maps: which maps, by which model, and how their blocks are divided.

A map's id is a hash of all that it depends on, so a map that exists is never made again, and an interrupted
one goes on with its finished blocks, whichever run comes next.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from typing import Annotated

from pydantic import ConfigDict, Field

from components.contract.errors import BadDataError, MissingInputError
from components.contract.hashing import sha256_json
from components.contract.keys import CHAMPIONS, map_plan_key, model_item_key
from components.lib.catalogue.documents import get_bounded, read_item
from components.lib.mapping.blocks import MOST_GROUPS, Blocks, shares
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import create_sealed, read_sealed
from components.lib.operations.events import AcquisitionId, Sha256
from components.lib.operations.plan import Acquisition
from components.lib.registry.artefact import FILES
from components.lib.registry.ledger import ChampionLedgers, champion_of, pinned_files
from components.lib.registry.served import SAR_MODEL

LOG = logging.getLogger(__name__)

MOST_SIDE_PX = 1 << 20
"""Sides of grids and blocks in a plan at most, pixels; no scene comes near it."""

MapId = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]{0,62}-[0-9a-f]{16}$")]

WEIGHTS = next(iter(FILES))
"""File of a model's weights in the registry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPin:
    """Version of a registered model.

    Attributes:
        name: Registered model.
        version: Its version.
        weights_sha256: SHA-256 of its weights by the champions' ledger; None in entries of former code, whose
            weights are held against MLflow's tags alone.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    version: str
    weights_sha256: Sha256 | None

    @property
    def uri(self) -> str:
        """Address in MLflow's registry: ``models:/name/version``."""
        return f"models:/{self.name}/{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMap:
    """Map of one acquisition.

    Attributes:
        id: Acquisition and a hash of all that the map depends on.
        acquisition: The acquisition, with the hash of its catalogue entry.
        marker_sha256: SHA-256 of its marker, which states the hash of every file.
        blocks: Grid in pixels and its division.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    id: MapId
    acquisition: Acquisition
    marker_sha256: Sha256
    blocks: Blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Blocks of one map that a group works on: ``first <= number < end``.

    Attributes:
        map: Id of the map.
        first: First block.
        end: Block after the last one.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    map: MapId
    first: int
    end: int

    @property
    def numbers(self) -> range:
        """Numbers of the blocks."""
        return range(self.first, self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class MapPlan:
    """Maps that a run makes.

    Attributes:
        run: Key-safe name of the run.
        model: Champion that the maps are made with.
        maps: The maps, by acquisition.
        groups: Division of all blocks of all maps.
        left_out: Message about each acquisition that cannot be mapped, by its id.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    run: str
    model: ModelPin
    maps: tuple[PlannedMap, ...]
    groups: tuple[tuple[Share, ...], ...]
    left_out: dict[AcquisitionId, str] = field(default_factory=dict)

    def write(self, objects: ObjectStore) -> MapPlan:
        """Seal the plan unless the run has one; return the one that stands."""
        create_sealed(objects, map_plan_key(self.run), asdict(self))
        return read_map_plan(objects, self.run)


def read_map_plan(objects: ObjectStore, run: str) -> MapPlan:
    """Read and verify a run's plan.

    Raises:
        MissingInputError: If the run was never planned.
        BadDataError: If the plan is damaged, or another run's.
    """
    key = map_plan_key(run)
    try:
        plan = read_sealed(objects, key, MapPlan)
    except MissingInputError as error:
        raise MissingInputError(
            f"run {run} has no plan of maps: {objects.uri}/{key} is missing",
            next_step="run `python -m components.predict plan --run ...` first, or clear its task `plan`",
        ) from error
    if plan.run != run:
        raise BadDataError(
            f"{objects.uri}/{key} is the plan of run {plan.run}", next_step="start a run of another name"
        )
    if not _is_whole(plan):
        raise BadDataError(
            f"{objects.uri}/{key} divides other blocks than those of its maps",
            next_step="find out who wrote to it, then start a run of another name",
        )
    return plan


def _is_whole(plan: MapPlan) -> bool:
    """Return whether the groups hold every block of every map once, as :func:`divide` makes them."""
    sizes = [size for one in plan.maps for size in (*one.blocks.shape, one.blocks.side)]
    bounded = all(1 <= size <= MOST_SIDE_PX for size in sizes)
    return bounded and plan.groups == divide(plan.maps, len(plan.groups))


def champion_pin(objects: ObjectStore, model: str = SAR_MODEL) -> ModelPin | None:
    """Return the present champion by its ledger; None if there is none.

    Raises:
        BadDataError: If the ledger is broken.
    """
    entries = ChampionLedgers(objects, CHAMPIONS).of(model).entries()
    version = champion_of(entries)
    if version is None:
        return None
    weights = pinned_files(entries, version).get(WEIGHTS)
    return ModelPin(name=model, version=version, weights_sha256=weights)


def known_sensors(objects: ObjectStore, model: ModelPin) -> tuple[str, ...]:
    """Return the sensors that a model knows, by its STAC item; none if it has no item, or a damaged one."""
    key = model_item_key(model.name, model.version)
    try:
        item = read_item(get_bounded(objects, key), name=f"{objects.uri}/{key}")
    except MissingInputError:
        return ()
    except BadDataError as error:  # maps are made without it
        LOG.warning("%s", error.message)
        return ()
    named = item["properties"].get("instruments")
    return tuple(map(str, named)) if isinstance(named, list) else ()


def map_id(acquisition: str, marker_sha256: str, model: ModelPin, parameters_sha256: str, code: str) -> str:
    """Return the id of a map: the acquisition, and a hash of all that the map depends on.

    Args:
        acquisition: Id of the acquisition.
        marker_sha256: SHA-256 of its marker.
        model: Model that maps it.
        parameters_sha256: SHA-256 of the parameters of mapping.
        code: SHA-256 of the code of mapping.
    """
    digest = sha256_json(
        {
            "marker": marker_sha256,
            "model": asdict(model),
            "parameters": parameters_sha256,
            "code": code,
        }
    )
    return f"{acquisition}-{digest[:16]}"


def divide(maps: Sequence[PlannedMap], most: int) -> tuple[tuple[Share, ...], ...]:
    """Divide all blocks of all maps into runs of neighbours of almost equal length.

    Args:
        maps: The maps, in order.
        most: Number of groups; fewer are returned where there are fewer blocks.
    """
    starts = [0, *accumulate(len(one.blocks) for one in maps)]
    groups = shares(starts[-1], min(most, MOST_GROUPS))
    return tuple(tuple(_shares(maps, starts, group.start, group.stop)) for group in groups)


def _shares(maps: Sequence[PlannedMap], starts: Sequence[int], first: int, end: int) -> list[Share]:
    """Return the blocks ``first <= n < end``, counted over all maps, by map."""
    return [
        Share(map=one.id, first=max(first, start) - start, end=min(end, start + len(one.blocks)) - start)
        for one, start in zip(maps, starts, strict=False)
        if max(first, start) < min(end, start + len(one.blocks))
    ]
