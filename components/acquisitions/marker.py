"""Completeness marker: a producer's list of what it delivered. Nothing in it is trusted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator

from components.acquisitions.parameters import ID, MOST_BYTES, MOST_FILES
from components.contract.errors import BadDataError, StormsightError
from components.contract.keys import CONTROL, MARKER
from components.lib.config.loader import Parameters
from components.lib.datasets.base import Dataset, TileName
from components.lib.datasets.sensors import dataset_of, get_sensor
from components.lib.foreign import read_json_text
from components.lib.objects.protocol import check_key

Text = Annotated[str, Field(min_length=1, max_length=300)]


class Licence(Parameters):
    """Terms of use: ``name`` (SPDX or usual short name), ``credit`` line, ``url`` of the text."""

    name: Text
    credit: Text
    url: Annotated[str, Field(max_length=300, pattern="^https?://")] | None = None


class DeliveredFile(Parameters):
    """One file: ``key`` below the acquisition's folder, bytes, SHA-256."""

    key: str = Field(min_length=1, max_length=500)
    size: int = Field(ge=0, le=MOST_BYTES)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")

    @property
    def name(self) -> str:
        """Name without folders, unique in the acquisition."""
        return PurePosixPath(self.key).name


class Marker(Parameters):
    """Content of ``<landing>/<id>/COMPLETE.json``."""

    id: str = Field(pattern=ID)
    sensor: Text
    simulated: bool
    title: Text
    licence: Licence
    prefix: str = Field(max_length=200, pattern="^([A-Za-z0-9_][A-Za-z0-9._-]*/)*$")
    """Folder of the release's files below the acquisition's, with a slash at its end."""
    products: tuple[str, ...] = Field(min_length=1)
    tiles: int = Field(ge=1)
    files: tuple[DeliveredFile, ...] = Field(min_length=1, max_length=MOST_FILES)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for text in (self.title, self.licence.name, self.licence.credit):
            if CONTROL.search(text):
                raise ValueError("control characters in title or licence")
        if get_sensor(self.sensor).simulated != self.simulated:
            raise ValueError(f"simulated is {self.simulated}, sensor {self.sensor} says otherwise")
        if sum(file.size for file in self.files) > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES >> 30} GiB in all")
        self._check_files()
        return self

    @property
    def images(self) -> set[str]:
        """Image ids of the SAR tiles, unique among the acquisitions of a sensor."""
        return images_of(self.files, self.dataset)

    @property
    def dataset(self) -> Dataset:
        """Data set of the sensor, which names the products."""
        return dataset_of(self.sensor)

    def _check_files(self) -> None:
        dataset = self.dataset
        dataset.check_products(self.products)
        names = Counter(file.name for file in self.files)
        name, count = names.most_common(1)[0]
        if count > 1:
            raise ValueError(f"{name} is listed {count} times")
        for file in self.files:
            check_key(file.key)
            if not file.key.startswith(self.prefix):
                raise ValueError(f"{file.key} does not lie below the prefix {self.prefix!r}")
            if dataset.product_of(file.key) not in self.products:
                raise ValueError(f"{file.key} is no file of {', '.join(self.products)}")
        missing = set(self.products) - {dataset.product_of(file.key) for file in self.files}
        if missing:
            raise ValueError(f"no file of {', '.join(sorted(missing))}")
        summaries = dataset.summaries
        if summaries.orientations not in names:
            raise ValueError(
                f"no {summaries.folder}/{summaries.orientations}: the side of view would be unknown"
            )
        if len(self.images) != self.tiles:
            raise ValueError(f"{len(self.images)} SAR tiles are listed, tiles says {self.tiles}")


def images_of(files: Iterable[DeliveredFile], dataset: Dataset) -> set[str]:
    """Return the image ids of the SAR tiles among ``files``."""
    return {tile.image_id for tile in _tiles(files, dataset)}


def strips_of(files: Iterable[DeliveredFile], dataset: Dataset) -> set[str]:
    """Return the strips of the SAR tiles among ``files``."""
    return {tile.strip for tile in _tiles(files, dataset)}


def _tiles(files: Iterable[DeliveredFile], dataset: Dataset) -> Iterator[TileName]:
    sar = dataset.sar.name
    return (dataset.parse(file.name) for file in files if dataset.product_of(file.key) == sar)


def parse_marker(content: bytes, acquisition: str) -> Marker:
    """Read a marker.

    Args:
        content: Content of the object.
        acquisition: Name of the folder it lies in.

    Raises:
        BadDataError: If it is malformed, contradicts itself, or names another folder or an unknown sensor.
    """
    try:
        marker = Marker.model_validate(read_json_text(content, MARKER))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise _bad(acquisition, f"{where}: {first['msg']}".lstrip(": ")) from error
    except StormsightError as error:  # no JSON, an unknown sensor, a key that is none
        raise _bad(acquisition, error.message) from error
    if marker.id != acquisition:
        raise _bad(acquisition, f"its id is {marker.id!r}")
    return marker


def _bad(acquisition: str, why: str) -> BadDataError:
    return BadDataError(
        f"acquisition {acquisition}: its completeness marker is wrong: {why[:1000]}",
        next_step="correct the producer, then upload a corrected marker: it is looked at again",
    )
