"""Producer of acquisitions: files into the landing place, the marker last."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from components.acquisitions.marker import DeliveredFile, Licence, Marker, parse_marker
from components.acquisitions.parameters import LandOptions
from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.contract.hashing import sha256_bytes, sha256_file
from components.contract.keys import marker_key
from components.lib.datasets.sensors import dataset_of, get_sensor
from components.lib.objects.protocol import ObjectStore


@dataclass(frozen=True, slots=True)
class Description:
    """Content of a marker beside its files; see :class:`Marker`."""

    id: str
    sensor: str
    title: str
    licence: Licence


def land_simulated(landing: ObjectStore, options: LandOptions) -> Marker:
    """Draw an acquisition of the rehearsal world and land it.

    Raises:
        ParameterError: If the sensor is not of the simulated world, or the id has landed before.
    """
    from components.simulation.parameters import WorldParameters  # noqa: PLC0415 - heavy
    from components.simulation.release import count_files, release_files  # noqa: PLC0415 - heavy

    sensor = get_sensor(options.sensor)
    if not sensor.simulated:
        raise ParameterError(
            f"--sensor {sensor.name} is a real one", next_step="land its files with --folder"
        )
    dataset = dataset_of(sensor.name)
    world = WorldParameters(seed=options.seed, tiles=options.tiles, tile_px=options.tile_px)
    _require_room(landing, options.id)

    def write() -> Iterator[DeliveredFile]:
        files = release_files(sensor, world, options.id)
        count = count_files(sensor, world, options.id)
        for file in tqdm(files, total=count, desc=options.id, unit="file", disable=None):
            if dataset.product_of(file.path) not in dataset.unread_names:
                landing.put(f"{options.id}/{file.path}", file.content)
                yield DeliveredFile(key=file.path, size=len(file.content), sha256=sha256_bytes(file.content))

    description = Description(
        id=options.id,
        sensor=sensor.name,
        title=f"Rehearsal world seen by {sensor.name}, landed (simulated)",
        licence=Licence(name="none needed", credit="simulated by this repository"),
    )
    return _finish(landing, description, write())


def land_folder(landing: ObjectStore, folder: Path, description: Description) -> Marker:
    """Land a copy of a folder in the release's layout; what belongs to no release stays behind.

    Raises:
        MissingInputError: If there is no such folder, or no file of a release in it.
        ParameterError: If the sensor is unknown, or the id has landed before.
    """
    dataset = dataset_of(description.sensor)
    if not folder.is_dir():
        raise MissingInputError(f"there is no folder {folder}", next_step="correct --folder")
    paths = {
        path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()
    }
    wanted = {key: path for key, path in paths.items() if dataset.product_of(key) is not None}
    if not wanted:
        raise MissingInputError(
            f"{folder} holds no file of a {dataset.naming.title} release",
            next_step="name the folder above "
            + ", ".join(dataset.folder(product) for product in dataset.product_names),
        )
    _require_room(landing, description.id)

    def write() -> Iterator[DeliveredFile]:
        for key, path in tqdm(wanted.items(), desc=description.id, unit="file", disable=None):
            landing.upload(f"{description.id}/{key}", path)
            yield DeliveredFile(key=key, size=path.stat().st_size, sha256=sha256_file(path))

    return _finish(landing, description, write())


def _finish(landing: ObjectStore, description: Description, files: Iterable[DeliveredFile]) -> Marker:
    """Write all files, then the marker."""
    written = list(files)
    sensor, dataset = get_sensor(description.sensor), dataset_of(description.sensor)
    counts = Counter(dataset.product_of(file.key) for file in written)
    marker: dict[str, Any] = {
        "id": description.id,
        "sensor": sensor.name,
        "simulated": sensor.simulated,
        "title": description.title,
        "licence": description.licence.model_dump(mode="json"),
        "prefix": _common_folder([file.key for file in written]),
        "products": sorted(str(product) for product in counts),
        "tiles": counts[dataset.sar.name],
        "files": [file.model_dump(mode="json") for file in written],
    }
    content = (json.dumps(marker, indent=1) + "\n").encode()
    try:
        parsed = parse_marker(content, description.id)
    except BadDataError as error:
        raise BadDataError(
            f"{description.id} cannot land: {error.message}",
            next_step="complete the folder, then land it again",
        ) from error
    if not landing.create(marker_key(description.id), content):
        raise _landed(landing, description.id)
    return parsed


def _require_room(landing: ObjectStore, acquisition: str) -> None:
    """Refuse an id that has landed; clear away what an interrupted attempt left."""
    if landing.exists(marker_key(acquisition)):
        raise _landed(landing, acquisition)
    for info in landing.list(f"{acquisition}/"):
        landing.delete(info.key)


def _landed(landing: ObjectStore, acquisition: str) -> ParameterError:
    return ParameterError(
        f"{landing.uri}/{acquisition} has landed before", next_step="use another --id; ids are never reused"
    )


def _common_folder(keys: list[str]) -> str:
    """Return the folder above the products' folders, with a slash at its end."""
    parts = [key.split("/")[:-2] for key in keys]
    common = parts[0]
    for other in parts:
        while common != other[: len(common)]:
            common = common[:-1]
    return "".join(f"{part}/" for part in common)
