"""The download stage fetches what is registered: shown with the code of both commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.acquisitions.landing import Description, land_folder, land_simulated
from components.acquisitions.marker import Licence
from components.acquisitions.parameters import LandOptions
from components.acquisitions.registration import Registrar
from components.contract.errors import BadDataError, MissingInputError, ParameterError, SourceUnavailableError
from components.download.acquire import acquire
from components.download.catalogue import CatalogueEntry, load_entry
from components.download.parameters import DownloadParameters
from components.download.publish import publish
from components.download.sources import retrying
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.operations import Operations
from components.lib.operations.plan import Acquisition
from components.lib.shards.manifest import read_manifest
from components.lib.shards.reader import ShardReader
from tests.acquisitions.releases import PREFIX, land, release


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "FIRST_PAUSE_S", 0.01)


def registered_entry(landing: ObjectStore, objects: ObjectStore, name: str, folder: Path) -> CatalogueEntry:
    """Register, lay the entry into a catalogue as a run does, and read it as the stage does."""
    assert name in Registrar(landing, objects).look().registered
    event = Operations(objects).state().registered[name]
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_bytes(Acquisition(name, event.catalogue_sha256).entry(objects))
    return load_entry(name, folder)


def download(entry: CatalogueEntry, folder: Path) -> dict[str, bytes]:
    """The stage on one entry: bare name -> content."""
    parameters = DownloadParameters(part_mib=1, shard_mib=1, workers=2, attempts=2, timeout_s=5)
    shards = acquire(entry, parameters, staging_root=folder / "staging")
    publish({entry.id: shards}, folder / "raw")
    with ShardReader(folder / "raw") as reader:
        return {str(row.name): reader.read(row) for row in read_manifest(folder / "raw").itertuples()}


def by_name(files: dict[str, bytes]) -> dict[str, bytes]:
    return {path.split("/")[-1]: content for path, content in files.items()}


def test_a_registered_acquisition_is_fetched_whole(
    landing: ObjectStore, objects: ObjectStore, tmp_path: Path
) -> None:
    files = land(landing, "new-1")
    entry = registered_entry(landing, objects, "new-1", tmp_path / "catalogue")
    assert download(entry, tmp_path) == by_name(files)


def test_what_changes_after_registration_is_not_fetched(
    landing: ObjectStore, objects: ObjectStore, tmp_path: Path
) -> None:
    files = land(landing, "new-1")
    entry = registered_entry(landing, objects, "new-1", tmp_path / "catalogue")
    sar = next(path for path in files if "/SAR-Intensity/" in path)
    for info in landing.list("new-1/"):
        landing.delete(info.key)
    assert download(entry, tmp_path / "expired") == by_name(files)
    copy = next(info.key for info in objects.list("deliveries/new-1/") if info.key.endswith(sar))
    objects.put(copy.replace("tile_8000", "tile_9000"), b"slipped in later")
    assert download(entry, tmp_path / "slipped-in") == by_name(files)
    objects.put(copy, bytes(len(files[sar])))
    with pytest.raises(BadDataError, match="without the checksum"):
        download(entry, tmp_path / "spoilt")
    objects.delete(copy)
    with pytest.raises((SourceUnavailableError, BadDataError), match="6 of 7 files") as told:
        download(entry, tmp_path / "removed")
    assert "restore it from a backup" in told.value.next_step


def test_a_simulated_acquisition_lands_and_is_fetched(
    landing: ObjectStore, objects: ObjectStore, tmp_path: Path
) -> None:
    options = LandOptions(id="revisit-1", sensor="simulated-spaceborne", seed=3, tiles=12, tile_px=64)
    landing.put("revisit-1/left/over.tif", b"of an interrupted attempt")
    marker = land_simulated(landing, options)
    entry = registered_entry(landing, objects, "revisit-1", tmp_path / "catalogue")
    fetched = download(entry, tmp_path)
    assert len(fetched) == len(marker.files) == 2 * 12 + 2
    assert entry.simulated
    with pytest.raises(ParameterError, match="has landed before"):
        land_simulated(landing, options)
    with pytest.raises(ParameterError, match="is a real one"):
        land_simulated(landing, options.model_copy(update={"id": "x", "sensor": "capella-airborne"}))


def test_a_copy_of_a_folder_lands(landing: ObjectStore, objects: ObjectStore, tmp_path: Path) -> None:
    files = release()
    for path, content in {**files, f"{PREFIX}SAR-Intensity/.DS_Store": b"junk", "README.md": b"x"}.items():
        (tmp_path / "source" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / path).write_bytes(content)
    description = Description(
        "copy-1", "capella-airborne", "A copy", Licence(name="CC BY-SA 4.0", credit="SpaceNet")
    )
    marker = land_folder(landing, tmp_path / "source", description)
    assert (marker.prefix, marker.tiles, len(marker.files)) == (PREFIX, 2, 7)
    entry = registered_entry(landing, objects, "copy-1", tmp_path / "catalogue")
    assert download(entry, tmp_path) == by_name(files)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingInputError, match="holds no file of a SpaceNet 6 release"):
        land_folder(landing, tmp_path / "empty", description)
