"""Crops per second of our sampler and of torchgeo's, on the same GeoTIFFs, in one run, alternating.

    python -m tests.benchmarks.bench_loader [--folder /scratch] [--rounds 7] [--device cuda]

The workload is that of the reference (speed.md section 1): 24 tiles of 900 x 900 x 4 float32, EPSG:32631,
0.5 m, uncompressed strips, speckle-like values with a black border; masks uint8; 512 crops, batch 8, page
cache warm. torchgeo reads the files through ``RasterDataset & mask`` and ``RandomGeoSampler``, in its best
case: handles cached, tiles that do not overlap, no flips. Ours reads a store made of the same files by the
prepare stage's own scaling. torchgeo delivers float32 images, ours the stored uint8 (or float16), which the
device normalises; our target has two channels more than the mask. First the pixels are compared: the window
that torchgeo reads, scaled alike, must equal our crop in every pixel.

torchgeo is no dependency of ours. To get it without touching the project's environment::

    python -m venv /scratch/peer                            # beside ours, same Python
    echo <ours>/lib/python3.11/site-packages > /scratch/peer/lib/python3.11/site-packages/ours.pth
    /scratch/peer/bin/python -m pip install torchgeo requests
    /scratch/peer/bin/python -m tests.benchmarks.bench_loader

The ``.pth`` line lets the new environment see our packages, so that pip keeps our torch and torchvision (they
must match) and adds what is missing. Tried with torchgeo 0.8.1, torch 2.15.0, torchvision 0.29.2.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import rasterio
import torch
from rasterio.transform import from_origin

from components.lib.datasets.scaling import scale_sar
from components.lib.datasets.sensors import get_sensor
from components.lib.engine.batch import to_batch
from components.lib.engine.device_sampler import DeviceSampler
from components.lib.store.layout import write_store
from components.lib.store.prefetch import prefetch
from components.lib.store.sampler import CropSampler
from components.lib.store.store import Store
from components.lib.tasks.labels import target_of

SENSOR = "simulated-airborne"
TILES, SIDE, GSD = 24, 900, 0.5
CROP, BATCH = 512, 8
WEST, NORTH = 591_550.0, 5_750_000.0

Route = Callable[[int], None]
"""Deliver that many batches."""


def corner(tile: int) -> tuple[float, float]:
    """West and north edge of a tile; they lie side by side in six columns, none overlaps."""
    row, column = divmod(tile, 6)
    return WEST + column * SIDE * GSD, NORTH - row * SIDE * GSD


def write_tiles(folder: Path) -> None:
    """Write ``sar/tile_*.tif`` and ``mask/tile_*.tif``."""
    rng = np.random.default_rng(0)
    for name in ("sar", "mask"):
        (folder / name).mkdir()
    for tile in range(TILES):
        sar = 30 + 8 * rng.standard_normal((4, SIDE, SIDE), dtype=np.float32)
        sar = np.clip(sar, 0.01, 91.9)
        sar[:, :, : rng.integers(0, 250)] = 0
        mask = np.zeros((1, SIDE, SIDE), np.uint8)
        for y, x in rng.integers(0, SIDE - 60, (40, 2)):
            mask[0, y : y + 40, x : x + 30] = 1
        for name, array in (("sar", sar), ("mask", mask)):
            _write(folder / name / f"tile_{tile:02}.tif", array, tile)


def _write(path: Path, array: npt.NDArray[Any], tile: int) -> None:
    profile = {
        "driver": "GTiff", "count": len(array), "height": SIDE, "width": SIDE, "dtype": array.dtype.name,
        "crs": "EPSG:32631", "transform": from_origin(*corner(tile), GSD, GSD), "interleave": "pixel",
        "blockysize": 9, "nodata": 0,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(array)


def scaled(image: npt.NDArray[np.float32], dtype: str) -> npt.NDArray[Any]:
    """(4, H, W) SAR units as the prepare stage stores them, (H, W, 4)."""
    valid = (image != 0).any(axis=0)
    return scale_sar(image, valid, get_sensor(SENSOR).scale_limits, dtype)  # type: ignore[arg-type]


def make_store(folder: Path, tiles: Path, dtype: str) -> Store:
    """The store of the GeoTIFFs: SAR as the prepare stage scales it, the mask as footprint."""
    sar, target = [], []
    for tile in range(TILES):
        with rasterio.open(tiles / "sar" / f"tile_{tile:02}.tif") as dataset:
            sar.append(scaled(dataset.read(), dtype))
        with rasterio.open(tiles / "mask" / f"tile_{tile:02}.tif") as dataset:
            target.append(np.moveaxis(np.repeat(dataset.read(), 3, axis=0), 0, -1))
    west, north = zip(*(corner(tile) for tile in range(TILES)), strict=True)
    index = pd.DataFrame(
        {
            "acquisition": "bench", "sensor": SENSOR, "image_id": [f"tile_{n}" for n in range(TILES)],
            "strip": "s", "tile": range(TILES), "orientation": 0, "row": range(TILES), "x_left_m": west,
            "y_top_m": north, "gsd_m": GSD, "height": SIDE, "width": SIDE, "split": "train", "kang": False,
            "clean": False, "nodata_share": 0.0, "n_buildings": 0, "has_optical": False,
        }
    )  # fmt: skip
    layers = {(SENSOR, "sar"): np.stack(sar), (SENSOR, "target"): np.stack(target)}
    write_store(folder, index, pd.DataFrame(), layers)
    return Store.open(folder)


def peer_dataset(tiles: Path) -> Any:
    """torchgeo's view of the files.

    Raises:
        SystemExit: If torchgeo is not installed, saying how to get it.
    """
    try:
        from torchgeo.datasets import RasterDataset  # noqa: PLC0415 - not a dependency of ours
    except ImportError as error:
        raise SystemExit(
            f"this benchmark compares with torchgeo, which cannot be imported here ({error}); --help says "
            "how to put it into an environment of its own"
        ) from error

    class Masks(RasterDataset):  # type: ignore[misc]
        is_image = False

    return RasterDataset(tiles / "sar") & Masks(tiles / "mask")


def peer_route(dataset: Any, workers: int) -> Route:
    """torchgeo's random crops through a stock loader; its workers outlive a round."""
    from torch.utils.data import DataLoader  # noqa: PLC0415
    from torchgeo.datasets import stack_samples  # noqa: PLC0415
    from torchgeo.samplers import RandomGeoSampler  # noqa: PLC0415

    loaders: dict[int, Any] = {}

    def deliver(batches: int) -> None:
        if batches not in loaders:
            loaders[batches] = DataLoader(
                dataset,
                batch_size=BATCH,
                sampler=RandomGeoSampler(dataset, size=CROP, length=batches * BATCH),
                num_workers=workers,
                collate_fn=stack_samples,
                persistent_workers=workers > 0,
            )
        seen = 0
        for batch in loaders[batches]:
            assert batch["image"].shape == (BATCH, 4, CROP, CROP)
            assert batch["mask"].shape[-2:] == (CROP, CROP)
            seen += 1
        assert seen == batches

    return deliver


def sampler_of(store: Store, *, flip: bool) -> CropSampler:
    """Ours: SAR and target."""
    rows = np.arange(TILES)
    return CropSampler(store, SENSOR, rows, ("sar", "target"), crop=CROP, batch=BATCH, seed=1, flip=flip)


def steps_from(start: int) -> Callable[[int], range]:
    """Fresh steps for each round, so that no round repeats another's crops."""
    place = [start]

    def take(batches: int) -> range:
        steps = range(place[0], place[0] + batches)
        place[0] += batches
        return steps

    return take


def plain_route(sampler: CropSampler, *, reuse: bool) -> Route:
    """One thread; a new batch each time, or the same arrays again."""
    take = steps_from(0)
    out = sampler.batch(0) if reuse else None

    def deliver(batches: int) -> None:
        for step in take(batches):
            sampler.batch(step, out)

    return deliver


def prefetch_route(sampler: CropSampler, threads: int) -> Route:
    """Batches read ahead by threads, as training takes them."""
    take = steps_from(0)

    def deliver(batches: int) -> None:
        steps = take(batches)
        for _ in prefetch(sampler.batch, steps.start, steps.stop, threads=threads):
            pass

    return deliver


def device_route(sampler: DeviceSampler, device: torch.device) -> Route:
    """Crops cut on the device."""
    take = steps_from(0)

    def deliver(batches: int) -> None:
        for step in take(batches):
            sampler.batch(step)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return deliver


def check_pixels(dataset: Any, stores: dict[str, Store], device: torch.device, steps: int = 8) -> int:
    """Compare our crops, of both number formats and on both routes, with torchgeo's windows; the count.

    Raises:
        AssertionError: If one pixel differs.
    """
    compared = 0
    for dtype, store in stores.items():
        sampler = sampler_of(store, flip=False)
        resident = DeviceSampler(sampler, device)
        for step in range(steps):
            ours = sampler.batch(step)
            there = resident.batch(step)
            for name, tensor in to_batch(ours, torch.device("cpu")).items():
                assert torch.equal(there[name].cpu(), tensor), f"step {step}: routes differ in {name}"
            for i, window in enumerate(sampler.windows(step)):
                sample = dataset[_bounds(window.row, window.y, window.x)]
                peer = scaled(sample["image"].numpy(), dtype)
                np.testing.assert_array_equal(ours["sar"][i], peer, err_msg=f"{dtype}, {window}")
                mask = sample["mask"].numpy().reshape(CROP, CROP)
                np.testing.assert_array_equal(target_of(ours["target"][i]), mask, err_msg=f"{window}")
                compared += 1
    return compared


def _bounds(tile: int, y: int, x: int) -> tuple[slice, slice]:
    west, north = corner(tile)
    left, top = west + x * GSD, north - y * GSD
    return slice(left, left + CROP * GSD), slice(top - CROP * GSD, top)


def measure(
    routes: dict[str, tuple[Route, int]], rounds: int
) -> Iterator[tuple[str, list[float], list[float]]]:
    """Crops per second by wall and by CPU of every route and round, the routes alternating."""
    wall: dict[str, list[float]] = {name: [] for name in routes}
    cpu: dict[str, list[float]] = {name: [] for name in routes}
    for number in range(rounds + 1):  # the first warms up
        for name, (deliver, batches) in routes.items():
            start, busy = time.perf_counter(), time.process_time()
            deliver(batches)
            if number:
                wall[name].append(batches * BATCH / (time.perf_counter() - start))
                cpu[name].append(batches * BATCH / (time.process_time() - busy))
    for name in routes:
        yield name, wall[name], cpu[name]


def main() -> None:
    """Print the table and the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--folder", type=Path, help="where 0.7 GB of tiles and stores go (default: temporary)"
    )
    parser.add_argument("--rounds", type=int, default=7, help="the median counts (default 7)")
    parser.add_argument(
        "--peer-batches", type=int, default=12, help="batches of torchgeo a round (default 12)"
    )
    parser.add_argument("--batches", type=int, default=240, help="batches of ours a round (default 240)")
    parser.add_argument("--device", default="cpu", help="where the device-resident store lies (default cpu)")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        tiles = Path(name)
        write_tiles(tiles)
        stores = {dtype: make_store(tiles / dtype, tiles, dtype) for dtype in ("uint8", "float16")}
        compared = check_pixels(peer_dataset(tiles), stores, device)
        print(f"{compared} windows compared with torchgeo's: all pixels equal")
        # A dataset each: forked workers that inherit open handles read each other's bytes.
        peers = {
            f"torchgeo, {n} workers": (peer_route(peer_dataset(tiles), n), arguments.peer_batches)
            for n in (0, 2)
        }
        ours = {key: (route, arguments.batches) for key, route in _ours(stores, device).items()}
        rows = list(measure(peers | ours, arguments.rounds))
    _report(rows, len(peers))


def _ours(stores: dict[str, Store], device: torch.device) -> dict[str, Route]:
    plain, flipped = sampler_of(stores["uint8"], flip=False), sampler_of(stores["uint8"], flip=True)
    fine = sampler_of(stores["float16"], flip=True)
    return {
        "ours": plain_route(plain, reuse=False),
        "ours, arrays reused": plain_route(plain, reuse=True),
        "ours, flips": plain_route(flipped, reuse=False),
        "ours, flips, arrays reused": plain_route(flipped, reuse=True),
        "ours, flips, prefetch, 1 thread": prefetch_route(flipped, 1),
        "ours, flips, prefetch, 2 threads": prefetch_route(flipped, 2),
        f"ours, flips, resident on {device.type}": device_route(DeviceSampler(flipped, device), device),
        "ours, float16 SAR, flips": plain_route(fine, reuse=False),
        "ours, float16 SAR, flips, arrays reused": plain_route(fine, reuse=True),
    }


def _report(rows: list[tuple[str, list[float], list[float]]], peers: int) -> None:
    best = max(rows[:peers], key=lambda row: float(np.median(row[1])))
    first = rows[0]
    print(f"ratios to the faster torchgeo row ({best[0]}) by wall, to {first[0]} by CPU of the main process")
    print(f"{'route':42} {'crops/s':>9} {'least':>9} {'most':>9} {'ratio':>7} {'CPU ratio':>10}")
    for name, wall, cpu in rows:
        ratio = float(np.median(np.divide(wall, best[1])))
        # Worker processes' time is not the main process's.
        by_cpu = "-" if "2 workers" in name else f"{np.median(np.divide(cpu, first[2])):.1f}"
        print(
            f"{name:42} {np.median(wall):9,.0f} {min(wall):9,.0f} {max(wall):9,.0f} {ratio:7.1f} {by_cpu:>10}"
        )
    print(
        f"{len(rows[0][1])} rounds, {os.cpu_count()} cores, {torch.get_num_threads()} torch thread(s), "
        f"load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
