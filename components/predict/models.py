"""Models that maps are made with: from the registry, from a folder, or from a STAC item alone."""

from __future__ import annotations

import logging
import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from components.contract.documents import shown
from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.contract.hashing import sha256_file
from components.contract.keys import model_item_key
from components.contract.parameters import PARAMS_FILE
from components.lib.catalogue.bundles import PublishedModel, fetched_model, open_model_item
from components.lib.config.loader import Parameters, load_known, load_parameters
from components.lib.datasets.sensors import get_sensor
from components.lib.nets.config import Modality
from components.lib.objects.opening import objects_from_environment
from components.lib.registry.agreement import ChampionReader
from components.lib.registry.artefact import CHAMPION, FILES
from components.lib.registry.ledger import champion_of, open_ledgers
from components.lib.registry.served import (
    BUILDING_MODELS,
    CHANGE_MODEL,
    OPTICAL_MODEL,
    ROAD_MODELS,
    ROADS_OPTICAL_MODEL,
)
from components.lib.tasks.names import TaskName
from components.lib.tracking.connection import connect
from components.lib.tracking.database import is_unmade
from components.lib.tracking.parameters import TrackingParameters

if TYPE_CHECKING:
    from components.lib.nets.network import SegmentationNetwork

LOG = logging.getLogger(__name__)

WEIGHTS = "weights.safetensors"

FORMS = (
    "use models:/stormsight-sar@champion, models:/stormsight-sar/3, the folder of a model (models/sar/none), "
    "or the path or URI of its STAC item (item.json)"
)

_MODELS = (*BUILDING_MODELS, *ROAD_MODELS)

_REGISTERED = re.compile(
    r"models:/(?P<model>[A-Za-z0-9._-]+)(@(?P<alias>[a-z]+)|/(?P<version>[1-9][0-9]{0,8}))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A network, and where it comes from.

    Attributes:
        net: The network, in evaluation mode.
        name: Registered model; of a folder its path.
        version: Version of the registered model; empty for a folder.
        weights_sha256: Hex SHA-256 of the weights.
        promoted: True if the champions' ledger, or the item, names it as promoted.
        item_href: URI of its STAC item, None where it has none.
    """

    net: SegmentationNetwork
    name: str
    version: str
    weights_sha256: str
    promoted: bool
    item_href: str | None

    @property
    def simulated(self) -> bool:
        """Return whether every sensor that the network knows is one of the rehearsal world."""
        return all(get_sensor(name).simulated for name in self.net.config.sensors)

    @property
    def words(self) -> str:
        """Return the model in words."""
        version = f" version {self.version}" if self.version else ""
        return f"{self.name}{version}{'' if self.promoted else ' (not promoted)'}"


class _LedgerPlace(Parameters):
    """Part of the section ``promote`` that is read here; attributes as there."""

    ledger: str = Field(min_length=1)


def resolve_model(
    spec: str,
    *,
    modality: Modality | None = None,
    task: TaskName | None = None,
    device: str = "cpu",
    params: Path = PARAMS_FILE,
) -> ServedModel:
    """Load the model that a command line names; its bytes are checked before anything is loaded.

    Args:
        spec: ``models:/NAME@champion``, ``models:/NAME/VERSION``, a folder of weights.safetensors and
            model.json, or the path, ``file://`` or ``s3://`` URI of a STAC item.
        modality: Layer that the network must read; None takes either.
        task: Task that the network must have; None takes any.
        device: ``cpu`` or ``cuda``.
        params: Parameter file, which names MLflow and the ledger; read for ``models:/`` alone.

    Raises:
        ParameterError: If ``spec`` is of no such form, or the network reads another layer than ``modality``
            or has another task.
        MissingInputError: If there is no such model, or no champion yet.
        BadDataError: If files, item, registry or ledger disagree, or another version of the code made it.
        SourceUnavailableError: If MLflow or the object store does not answer.
    """
    LOG.info("load model %s", shown(spec))
    if spec.startswith("models:"):
        served = _registered(spec, device, params)
    elif spec.endswith(".json"):
        served = _from_item(spec, device)
    elif "://" not in spec:
        served = _from_folder(Path(spec), device)
    else:
        raise ParameterError(f"--model {shown(spec)} names no model", next_step=FORMS)
    if task not in {None, served.net.config.task}:
        raise ParameterError(
            f"{served.words} predicts {served.net.config.task}, not {task}",
            next_step=f"name a model of {task}",
        )
    found = served.net.config.modality
    if modality not in {None, found}:
        raise ParameterError(
            f"{served.words} reads {found} images, the scene is {modality}",
            next_step=f"name a model for {modality}, such as models:/stormsight-{modality}@champion",
        )
    return served


def _registered(spec: str, device: str, params: Path) -> ServedModel:
    match = _REGISTERED.fullmatch(spec)
    if match is None:
        raise ParameterError(f"--model {shown(spec)} names no registered model", next_step=FORMS)
    model, alias, version = match["model"], match["alias"], match["version"]
    if model == CHANGE_MODEL:
        raise ParameterError(
            f"--model {shown(spec)}: {model} compares two dates; maps are made from one image",
            next_step=f"use one of {', '.join(_MODELS)}",
        )
    if model not in _MODELS:
        raise ParameterError(
            f"--model {shown(spec)}: there is no registered model {model!r}",
            next_step=f"use one of {', '.join(_MODELS)}",
        )
    if alias not in {None, CHAMPION}:
        raise ParameterError(
            f"--model {shown(spec)}: maps are made with the alias {CHAMPION!r} or a version",
            next_step=f"use models:/{model}@{CHAMPION} or models:/{model}/VERSION",
        )
    tracking = load_parameters("tracking", TrackingParameters, params)
    ledgers = open_ledgers(load_known("promote", _LedgerPlace, params).ledger)
    if is_unmade(tracking.effective_uri):
        raise _no_champion(model, tracking.effective_uri)
    reader = ChampionReader(connect(tracking), ledgers, model)
    if version is None:
        version = champion_of(reader.require_agreement())
    if version is None:
        raise _no_champion(model, reader.connection.uri)
    return _of_version(reader, version, device)


def _of_version(reader: ChampionReader, version: str, device: str) -> ServedModel:
    model = reader.model
    promoted = any(entry.version == version for entry in reader.ledger.entries())
    with reader.fetched(version) as folder:
        weights = sha256_file(folder / WEIGHTS)
        net = _load(folder, device, f"{model} version {version}")
    objects, key = objects_from_environment(), model_item_key(model, version)
    return ServedModel(
        net=net,
        name=model,
        version=version,
        weights_sha256=weights,
        promoted=promoted,
        item_href=f"{objects.uri}/{key}" if objects.exists(key) else None,
    )


def _from_item(location: str, device: str) -> ServedModel:
    try:
        published = open_model_item(location)
    except MissingInputError as error:
        raise MissingInputError(
            f"--model {shown(location)}: there is no such item", next_step=FORMS
        ) from error
    return _loaded(
        fetched_model(published), f"{published.name} version {published.version}", device, published=published
    )


def _from_folder(folder: Path, device: str) -> ServedModel:
    if not folder.is_dir():
        raise MissingInputError(
            f"--model {shown(str(folder))}: there is no such folder or file", next_step=FORMS
        )
    absent = [name for name in FILES if not (folder / name).is_file()]
    if absent:
        raise MissingInputError(
            f"--model {folder} is no folder of a model: it has no {absent[0]}", next_step=FORMS
        )
    return _loaded(nullcontext(folder), folder.as_posix(), device, published=None)


def _loaded(
    folder: AbstractContextManager[Path], name: str, device: str, *, published: PublishedModel | None
) -> ServedModel:
    with folder as files:
        net, weights = _load(files, device, name), sha256_file(files / WEIGHTS)
    if published is None:
        return ServedModel(
            net=net, name=name, version="", weights_sha256=weights, promoted=False, item_href=None
        )
    if published.sensors != net.config.sensors:
        raise BadDataError(
            f"{published.href} names the sensors {', '.join(published.sensors)}, its network knows "
            f"{', '.join(net.config.sensors)}",
            next_step="find out who wrote to the item; restore it from a backup of the object store",
        )
    return ServedModel(
        net=net,
        name=published.name,
        version=published.version,
        weights_sha256=weights,
        promoted=True,
        item_href=published.href,
    )


def _load(folder: Path, device: str, name: str) -> SegmentationNetwork:
    """Load the two files of a model, under the name that the caller knows it by."""
    from components.lib.nets.bundle import load_bundle  # noqa: PLC0415 - torch is slow to import

    try:
        return load_bundle(folder, device)
    except BadDataError as error:
        raise BadDataError(
            f"{name} cannot be loaded: {error.message}",
            next_step="name another model or version; `python -m components.promote verify` tells whether "
            "the champion is intact",
        ) from error


def _no_champion(model: str, uri: str) -> MissingInputError:
    instead = "a folder such as models/sar/none"
    optical = ROADS_OPTICAL_MODEL if model in ROAD_MODELS else OPTICAL_MODEL
    if model != optical:
        instead += f", or optical images with models:/{optical}@{CHAMPION}"
    return MissingInputError(
        f"{model} has no champion yet at {uri}",
        next_step="promote a model (`make repro`; where the gate refused it, reports/promote/decision.txt "
        f"says why), or map with {instead} instead",
    )
