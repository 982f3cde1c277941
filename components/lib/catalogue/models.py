"""STAC items of promoted models, with the MLM extension: all that is needed to use them.

A version's item is created once, from its promotion in the champions' ledger, and never written again. So it
names its predecessor, which was known then, and no successor. The present champion, and all changes in their
order, are in the model's collection, which is made anew from ledger and items after each change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from pydantic import ValidationError

from components.contract import keys
from components.contract.documents import shown
from components.contract.errors import BadDataError
from components.lib.catalogue.change import change_bands, change_properties
from components.lib.catalogue.decisions import Decision
from components.lib.catalogue.documents import (
    SHA256_MULTIHASH,
    VERSION,
    Document,
    collection,
    link,
    relative,
    sealed,
)
from components.lib.catalogue.inputs import bands_of, inputs_of, normalisation_of, outputs_of, sensors_of
from components.lib.change.nets.config import ChangeConfig
from components.lib.datasets.spacenet6 import CAPELLA_AIRBORNE
from components.lib.nets.config import NetworkConfig
from components.lib.registry.ledger import ChampionEntry
from components.lib.registry.served import CHANGE_MODEL

EXTENSIONS: Final = (
    "https://stac-extensions.github.io/mlm/v1.4.0/schema.json",
    "https://stac-extensions.github.io/version/v1.2.0/schema.json",
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
    "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
)

WEIGHTS, SIGNATURE = "weights", "signature"
"""Names of the assets: weights.safetensors and model.json."""

FILES: Final = {"weights.safetensors": WEIGHTS, "model.json": SIGNATURE}
"""Asset of each file of a model."""

Config = NetworkConfig | ChangeConfig
"""Configuration of a network, of one image or of two dates."""

SIMULATED: Final = "Simulated: no number is from a real sensor."


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """File of a model in the object store: its key, hex SHA-256, and size in bytes."""

    key: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRelease:
    """A promoted version and what is known about it.

    Attributes:
        entry: Ledger entry of its (first) promotion.
        decision: Decision record that the entry points to.
        signature: Content of its model.json.
        files: Its files by name.
        purpose: Sentence about the registered model.
    """

    entry: ChampionEntry
    decision: Decision
    signature: Mapping[str, Any]
    files: Mapping[str, StoredFile]
    purpose: str

    @property
    def model(self) -> str:
        """Return the registered model."""
        return self.entry.change.model

    @property
    def version(self) -> str:
        """Return the version."""
        return str(self.entry.version)

    @property
    def key(self) -> str:
        """Return the key of its item."""
        return keys.model_item_key(self.model, self.version)


def model_item(release: ModelRelease) -> Document:
    """Return the STAC item of a promoted version; equal arguments give equal items.

    Raises:
        BadDataError: If model.json describes no network.
        ParameterError: If it names an unknown sensor.
    """
    config = _config(release)
    described = (
        _building_network(release, config) if isinstance(config, NetworkConfig) else change_properties(config)
    )
    return sealed(
        {
            "type": "Feature",
            "stac_version": VERSION,
            "stac_extensions": list(EXTENSIONS),
            "id": f"{release.model}-{release.version}",
            "collection": release.model,
            "geometry": None,
            "properties": {
                **_described(release),
                **_network(release, config),
                **described,
                **_lineage(release),
            },
            "links": _links(release),
            "assets": {
                FILES[name]: _asset(name, file, release, config) for name, file in release.files.items()
            },
        }
    )


def _config(release: ModelRelease) -> Config:
    """Return the configuration of a version's network.

    Raises:
        BadDataError: If its signature holds none.
    """
    kind = ChangeConfig if release.model == CHANGE_MODEL else NetworkConfig
    try:
        return kind.model_validate(release.signature.get("config"))
    except ValidationError as error:
        raise BadDataError(
            f"{release.model} version {release.version}: model.json describes no network: "
            f"{shown(str(error))}",
            next_step="another version of the code made it: train it again",
        ) from error


def model_collection(model: str, entries: Sequence[ChampionEntry], published: Sequence[str]) -> Document:
    """Return the collection of a model's promoted versions, with its champion and all changes of it.

    Args:
        model: Registered model.
        entries: Ledger of its champions, one entry at least.
        published: Versions that have an item.
    """
    key, champion = keys.model_collection_key(model), entries[-1].version
    items = [
        link("item", keys.model_item_key(model, version), of=key, title=f"{model} version {version}")
        for version in published
    ]
    latest = [
        link("latest-version", keys.model_item_key(model, version), of=key, title="present champion")
        for version in published
        if version == champion
    ]
    told = "There is no champion now." if champion is None else f"Version {champion} is champion."
    found = collection(
        model,
        f"Model {model}",
        f"Promoted versions of {model}. {told}",
        [*_above(key), *latest, *items],
        begin=entries[0].time,
    )
    return {
        **found,
        "stormsight:champion": champion,
        "stormsight:ledger_head": entries[-1].hash,
        "stormsight:changes": [_change(entry) for entry in entries],
    }


def _above(key: str, parent: str = keys.MAPS_CATALOG) -> list[Document]:
    """Return the links of a document to the root of the catalogue and to its parent."""
    return [link("root", keys.MAPS_CATALOG, of=key), link("parent", parent, of=key)]


def _described(release: ModelRelease) -> Document:
    simulated, entry = release.decision.simulated, release.entry
    return {
        "title": f"{release.model} version {release.version}",
        "description": " ".join([*([SIMULATED] if simulated else []), release.purpose]),
        "datetime": entry.time,
        "created": entry.time,
        "version": release.version,
        "stormsight:simulated": simulated,
    }


def _network(release: ModelRelease, config: Config) -> Document:
    """Return the properties that describe the network."""
    training = release.signature.get("metadata", {}).get("training")
    crop = training.get("crop") if isinstance(training, dict) else None
    own = (
        _building_network(release, config) if isinstance(config, NetworkConfig) else change_properties(config)
    )
    return {
        **own,
        "mlm:name": release.model,
        "mlm:framework": "PyTorch",
        **_framework_version(),
        "mlm:total_parameters": int(release.signature.get("parameters", 0)),
        "mlm:hyperparameters": {"network": config.model_dump(mode="json"), "training": training},
        "stormsight:training_crop_px": crop,
    }


def _building_network(release: ModelRelease, config: NetworkConfig) -> Document:
    return {
        # As components/lib/geo/grid.GRID_M, which needs GDAL.
        "gsd": CAPELLA_AIRBORNE.gsd_m,
        "instruments": list(config.sensors),
        "mlm:architecture": f"{config.kind} ({config.encoder})",
        "mlm:tasks": ["semantic-segmentation"],
        "mlm:pretrained": config.encoder_weights is not None,
        "mlm:pretrained_source": config.encoder_weights,
        "mlm:input": inputs_of(config),
        "mlm:output": outputs_of(config),
        "stormsight:modality": config.modality,
        "stormsight:sensors": sensors_of(config),
        "stormsight:normalisation": normalisation_of(config),
        "stormsight:threshold": config.threshold,
        "stormsight:window_px": release.decision.scoring.get("window_px"),
    }


def _lineage(release: ModelRelease) -> Document:
    decision = release.decision
    hashes = {name: file.sha256 for name, file in release.files.items()}
    return {
        "stormsight:method": decision.method,
        "stormsight:metrics": decision.metrics(),
        "stormsight:training_data": decision.training_data(),
        "stormsight:sha256": {**decision.sha256, **hashes},
        "stormsight:ledger": _change(release.entry),
    }


def _change(entry: ChampionEntry) -> Document:
    change = entry.change
    return {
        "seq": entry.seq,
        "hash": entry.hash,
        "time": entry.time,
        "action": entry.action,
        "version": entry.version,
        "previous_version": entry.previous_version,
        "actor": change.actor,
        "reason": change.reason,
        "decision_sha256": change.decision,
        "files_sha256": change.files,
    }


def _links(release: ModelRelease) -> list[Document]:
    parent, before = keys.model_collection_key(release.model), release.entry.previous_version
    found = [*_above(release.key, parent), link("collection", parent, of=release.key)]
    if before is not None:
        found.append(
            link(
                "predecessor-version",
                keys.model_item_key(release.model, before),
                of=release.key,
                title=f"champion before: version {before}",
            )
        )
    if release.decision.training is not None:  # else the acquisitions are files of a checkout, not objects
        found += [
            link("via", keys.catalogue_key(name), of=release.key, title=f"trained on {name}")
            for name in release.decision.acquisitions
        ]
    return found


def _asset(
    name: str, file: StoredFile, release: ModelRelease, config: NetworkConfig | ChangeConfig
) -> Document:
    found: Document = {
        "href": relative(file.key, of=release.key),
        "title": name,
        "type": "application/json" if name.endswith(".json") else "application/vnd.safetensors",
        "roles": ["metadata"],
        "file:size": file.size,
        "file:checksum": SHA256_MULTIHASH + file.sha256,
    }
    if FILES[name] == WEIGHTS:
        found |= {
            "roles": ["mlm:model", "mlm:weights", "data"],
            "mlm:artifact_type": "safetensors",
            # MLM would also take `bands` in the properties, where the core's schema refuses them.
            "raster:bands": bands_of(config) if isinstance(config, NetworkConfig) else change_bands(config),
        }
    return found


def _framework_version() -> dict[str, str]:
    try:
        return {"mlm:framework_version": version("torch")}
    except PackageNotFoundError:
        return {}
