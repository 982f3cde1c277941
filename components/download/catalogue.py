"""The catalogue: one committed YAML file per acquisition, saying where it is and what to expect of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from components.contract.documents import nearest, read_yaml, shortened
from components.contract.errors import ParameterError
from components.contract.strict_yaml import Limits as DocumentLimits
from components.lib.config.loader import Parameters
from components.lib.datasets.sensors import dataset_of, get_sensor

CATALOGUE = Path(__file__).parent / "catalogue"

LIMITS = DocumentLimits(size=64 << 20, nodes=2_000_000)
"""Bounds on an entry: one that was registered lists each of its up to 100,000 files."""

SCHEMES = ("s3", "file", "simulate")

Md5 = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Licence(Parameters):
    """Terms of use: ``name`` (SPDX or usual short name), ``credit`` line, ``url`` of the text."""

    name: str
    credit: str
    url: str | None = None


class ExpectedObject(Parameters):
    """Facts known beforehand about one object of the source."""

    key: str
    """Relative to the source URI."""
    size: int | None = Field(default=None, ge=0)
    """Bytes, where a publisher states them."""
    md5: Md5 | None = None
    sha256: Sha256 | None = None


class Limits(Parameters):
    """Bounds on what an archive may unpack to; beyond them it is taken for a bomb."""

    files: int = Field(default=100_000, ge=1)
    unpacked_gib: float = Field(default=256.0, gt=0)


class CatalogueEntry(Parameters):
    """One acquisition: one sensor's files from one source."""

    id: str = Field(pattern="^[a-z0-9][a-z0-9-]{0,62}$")
    title: str
    sensor: str
    """Key of ``components.lib.datasets.sensors``."""
    source: str
    """``s3://bucket/root/``, ``file://path`` (a folder or a tarball; relative paths start at the working
    directory) or ``simulate://world``."""
    simulated: bool
    """True for the rehearsal world; must agree with the sensor."""
    licence: Licence
    products: tuple[str, ...] = Field(min_length=1)
    """Products to fetch, by the names of the sensor's data set; anything else in the source is left there."""
    prefix: str = ""
    """Release-relative folder above the products' folders, with a slash at its end."""
    archive: str | None = None
    """Key of the tarball that holds the same files, used when the prefix cannot be listed."""
    tiles: int | None = Field(default=None, ge=1)
    """Tiles the release holds; a listing with fewer is not taken for the release."""
    objects: tuple[ExpectedObject, ...] = ()
    """Objects with a published size or checksum."""
    closed: bool = False
    """``objects`` is the whole acquisition: no other file is fetched, and none of them may be missing."""
    limits: Limits = Limits()
    anonymous: bool = False
    """S3 only: requests are not signed, whatever credentials the machine has."""
    region: str | None = None
    """S3 only: the bucket's region; the usual configuration otherwise."""
    requester_pays: bool = False
    """S3 only: the bucket's owner lets the requester pay; see ``download.requester_pays``."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        scheme = self.source.split("://")[0]
        if "://" not in self.source or scheme not in SCHEMES:
            raise ValueError(f"source: {self.source!r} has none of the schemes {', '.join(SCHEMES)}")
        dataset_of(self.sensor).check_products(self.products)
        for key in (self.prefix, self.archive or "", *(item.key for item in self.objects)):
            if key.startswith("/") or ".." in key.split("/"):
                raise ValueError(f"{key!r} must lie below the source")
        return self

    def expected(self, key: str) -> ExpectedObject:
        """Return the facts known about ``key``; nothing but the key if the entry does not list it."""
        return self.by_key.get(key) or ExpectedObject(key=key)

    @cached_property
    def by_key(self) -> Mapping[str, ExpectedObject]:
        """``objects`` by key: there may be tens of thousands."""
        return {item.key: item for item in self.objects}


def known_acquisitions(folder: Path = CATALOGUE) -> list[str]:
    """Return the ids of all entries, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_entry(acquisition: str, folder: Path = CATALOGUE) -> CatalogueEntry:
    """Read and check one entry.

    Raises:
        ParameterError: If the file is malformed, a key is unknown (the nearest valid one is named), the id is
            not the file's name, the sensor is unknown, or ``simulated`` contradicts the sensor.
    """
    path = folder / f"{acquisition}.yaml"
    correct = f"correct {path.name} in the catalogue"
    try:
        entry = CatalogueEntry.model_validate(read_yaml(path, limits=LIMITS))
    except ParameterError as error:
        raise ParameterError(
            f"catalogue entry {acquisition}: {error.message}", next_step=error.next_step
        ) from error
    except ValidationError as error:
        text = "; ".join(_explain(issue["loc"], issue["type"], issue["msg"]) for issue in error.errors()[:8])
        raise ParameterError(f"catalogue entry {acquisition}: {text}", next_step=correct) from error
    if entry.id != acquisition:
        raise ParameterError(f"catalogue entry {acquisition}: its id is {entry.id!r}", next_step=correct)
    sensor = get_sensor(entry.sensor)
    if sensor.simulated != entry.simulated:
        raise ParameterError(
            f"catalogue entry {acquisition}: simulated is {entry.simulated}, but sensor {sensor.name} says "
            f"{sensor.simulated}",
            next_step=correct,
        )
    return entry


_NESTED: dict[str, type[BaseModel]] = {"licence": Licence, "objects": ExpectedObject, "limits": Limits}


def _explain(location: tuple[int | str, ...], kind: str, message: str) -> str:
    dotted = shortened(".".join(map(str, location)))
    if kind != "extra_forbidden":
        text = shortened(message, 300)
        return f"{dotted}: {text}" if dotted else text
    model = CatalogueEntry if len(location) == 1 else _NESTED[str(location[0])]
    return f"{dotted}: unknown key{nearest(str(location[-1]), model.model_fields)}"
