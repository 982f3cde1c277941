"""A tiny release in the real layout, and entries and parameters to fetch it with."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from components.download.catalogue import CatalogueEntry
from components.lib.datasets.spacenet6 import SPACENET6

PREFIX = "train/AOI_11_Rotterdam/"
STRIPS = ("20190804111224_20190804111453", "20190804111851_20190804112030")
PRODUCTS = ("SAR-Intensity", "PS-RGB", "Buildings", "Summary")


def release(tiles: int = 3, sar_bytes: int = 150_000, seed: int = 0) -> dict[str, bytes]:
    """Release-relative path -> content; the bytes stand for rasters, no reader looks into them here."""
    rng = np.random.default_rng(seed)
    files = {}
    for index in range(tiles):
        for product, size in (("SAR-Intensity", sar_bytes), ("PS-RGB", 30_000), ("Buildings", 700)):
            name = SPACENET6.file_name(product, STRIPS[index % 2], 8000 + index)
            # As in the real release, the label of a tile without buildings can have no bytes at all.
            content = b"" if product == "Buildings" and index == 0 else rng.bytes(size + index)
            files[f"{PREFIX}{SPACENET6.folder(product)}/{name}"] = content
    files[f"{PREFIX}SummaryData/SAR_orientations.txt"] = b"".join(f"{s} 1\n".encode() for s in STRIPS)
    files[f"{PREFIX}SummaryData/SN6_Train_AOI_11_Rotterdam_Buildings.csv"] = b"ImageId\n"
    return files


STRAY = {
    f"{PREFIX}": b"",  # the folder markers that some tools leave in buckets
    f"{PREFIX}PAN/SN6_Train_AOI_11_Rotterdam_PAN_{STRIPS[0]}_tile_8000.tif": b"not asked for",
    f"{PREFIX}SAR-Intensity/.DS_Store": b"junk",
    "test_public/AOI_11_Rotterdam/SAR-Intensity/"
    f"SN6_Test_Public_AOI_11_Rotterdam_SAR-Intensity_{STRIPS[0]}_tile_9.tif": b"another part",
}


def tarball(files: dict[str, bytes], zipped: bool = True) -> bytes:
    """The files as the publisher packs them: folders first, ``./`` in front."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz" if zipped else "w", format=tarfile.GNU_FORMAT) as tar:
        folder = tarfile.TarInfo(f"./{PREFIX}")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for path, content in files.items():
            if content or not path.endswith("/"):
                info = tarfile.TarInfo(f"./{path}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def entry(source: str, **changes: Any) -> CatalogueEntry:
    """A catalogue entry of the tiny release."""
    values: dict[str, Any] = {
        "id": "tiny",
        "title": "Tiny release",
        "sensor": "capella-airborne",
        "source": source,
        "simulated": False,
        "licence": {"name": "CC BY-SA 4.0", "credit": "nobody"},
        "prefix": PREFIX,
        "products": list(PRODUCTS),
        "anonymous": source.startswith("s3://"),
        **changes,
    }
    return CatalogueEntry.model_validate(values)


ARGUMENTS = (
    "--params",
    "params.yaml",
    "--catalogue",
    "catalogue",
    "--output",
    "raw",
    "--staging",
    "staging",
)
"""Command line of ``components.download`` in the folder of :func:`write_world`."""


def write_world(folder: Path, entries: list[CatalogueEntry], **download: Any) -> Path:
    """A catalogue and a ``params.yaml`` in ``folder`` for the command line."""
    (folder / "catalogue").mkdir(parents=True, exist_ok=True)
    for one in entries:
        text = yaml.safe_dump(one.model_dump(mode="json", exclude_none=True))
        (folder / "catalogue" / f"{one.id}.yaml").write_text(text)
    params = {
        "profile": "p",
        "profiles": {"p": {"download": {}}},
        "world": {},
        "acquisitions": [one.id for one in entries],
        "download": {"part_mib": 1, "shard_mib": 1, "workers": 2, **download},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    return folder / "params.yaml"
