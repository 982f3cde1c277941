"""Peak memory of a map, by the side of its scene.

    python -m tests.benchmarks.bench_map_memory 1000 30000 --model models/sar/none --tile TILE.tif
    python -m tests.benchmarks.bench_map_memory 1000 4096 30000

With a model: one run of ``python -m components.predict`` with all its outputs (probability COG, GeoParquet,
thumbnail, PMTiles by tippecanoe in a process of its own, page, catalogue). Resident memory is summed over
all its processes every 20 ms. The scene is one GeoTIFF, float32, made of a SAR tile of the model's sensor
again and again, such as those of ``make map`` below ``var/rehearsal-maps``. Without a model: reading,
network and blending alone, with pixels that are made on demand and a network that costs nothing but has
four bands.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.windows import Window
from torch import Tensor

from components.lib.geo.grid import Grid
from components.lib.mapping.blocks import Blocks, Box
from components.lib.mapping.forward import map_blocks
from components.lib.mapping.predicting import WindowSettings
from components.lib.mapping.scene import Pixels, SceneFacts
from components.lib.nets.bundle import load_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.network import Maps, SegmentationNetwork

SENSOR, STEP_S, REPOSITORY = "bench", 0.02, Path(__file__).parents[2]


@dataclass
class EndlessScene:
    """Square scene whose pixels repeat every 600 px, with a corner without data."""

    side: int
    facts: SceneFacts

    def __post_init__(self) -> None:
        self.tile = np.random.default_rng(0).integers(1, 256, (600, 600, 4), dtype=np.uint8)
        self.grid = Grid(
            x_left_m=595_000.0, y_top_m=5_755_000.0, gsd_m=0.5, height=self.side, width=self.side
        )

    def read(self, box: Box) -> Pixels:
        rows, columns = np.arange(box.top, box.bottom), np.arange(box.left, box.right)
        pixels = self.tile[rows % 600][:, columns % 600]
        inside = (rows < self.side)[:, None] & (columns < self.side)
        return pixels * (inside & (rows[:, None] + columns > self.side // 4))[..., None]


class FourBands(SegmentationNetwork):
    """Network of one band's value, four times."""

    def __init__(self) -> None:
        super().__init__(NetworkConfig(kind="bench", encoder="none", sensors=(SENSOR,), contours=True))

    def forward_maps(self, x: Tensor) -> Maps:
        score = (x[:, :3].float() - 128) / 32
        return Maps(score[:, :2], score)

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_maps(x).logits

    def supervised_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        return (self(x),)


def stub(side: int) -> dict[str, float]:
    """Peak memory and seconds of one scene's probabilities."""
    facts = SceneFacts(
        name="bench", sensor=SENSOR, modality="sar", crs="EPSG:32631", orientation=0, acquired=None,
        sources=(), simulated=True,
    )  # fmt: skip
    scene, blocks = EndlessScene(side, facts), Blocks((side, side), 2048)
    settings = WindowSettings(window_px=512, overlap_px=64, batch=4)
    start = time.perf_counter()
    for _ in map_blocks(FourBands(), [scene], blocks, range(len(blocks)), settings):
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"mib": peak, "seconds": time.perf_counter() - start}


def write_scene(path: Path, side: int, tile: Path) -> None:
    """Write a scene of the middle of a tile, repeated; values are rounded, so that it compresses."""
    with rasterio.open(tile) as source:
        window = Window(source.width // 4, source.height // 4, source.width // 2, source.height // 2)
        pixels = np.round(2 * source.read(window=window)) / 2
        profile = {**source.profile, "transform": source.transform}
    profile.update(
        width=side, height=side, tiled=True, blockxsize=512, blockysize=512, compress="zstd", zstd_level=1,
        interleave="pixel", bigtiff="if_safer", dtype="float32",
    )  # fmt: skip
    columns = np.arange(side) % pixels.shape[2]
    with rasterio.open(path, "w", **profile) as target:
        for top in range(0, side, 512):
            rows = np.arange(top, min(top + 512, side)) % pixels.shape[1]
            target.write(
                pixels[:, rows][:, :, columns].astype(np.float32), window=Window(0, top, side, len(rows))
            )


def processes(pid: int) -> Iterator[int]:
    """Yield a process and all below it, but those that end meanwhile or have no program of their own yet."""
    yield pid
    try:
        own = Path(f"/proc/{pid}/cmdline").read_bytes()
        children = [
            int(child) for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]  # fmt: skip
    except OSError:
        return
    for child in children:
        with contextlib.suppress(OSError):
            # Until it begins its program, a new process shows the memory of the one that made it.
            if Path(f"/proc/{child}/cmdline").read_bytes() != own:
                yield from processes(child)


def resident(pid: int) -> dict[str, float]:
    """Resident memory, MiB, by the program's name."""
    found: dict[str, float] = {}
    for process in processes(pid):
        try:
            pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
            name = Path(f"/proc/{process}/comm").read_text().strip()
        except (OSError, IndexError):
            continue
        found[name] = found.get(name, 0) + pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return found


def full(side: int, model: Path, tile: Path, folder: Path) -> dict[str, Any]:
    """Peak memory and seconds of one run with all outputs."""
    write_scene(folder / "scene.tif", side, tile)
    (folder / "params.yaml").write_bytes((REPOSITORY / "params.yaml").read_bytes())
    sensor = load_bundle(model).config.sensors[0]
    command = [
        sys.executable, "-m", "components.predict", "scene.tif", "--sensor", sensor, "--orientation", "0",
        "--model", str(model.resolve()), "--out", "maps",
    ]  # fmt: skip
    start, peak = time.perf_counter(), {"": 0.0}
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with (folder / "said").open("w") as said:
        run = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=said)
        while run.poll() is None:
            peak = max(peak, resident(run.pid), key=lambda found: sum(found.values()))
            time.sleep(STEP_S)
    if run.returncode:
        raise SystemExit((folder / "said").read_text())
    made = sorted(path.name for path in (folder / "maps").rglob("*") if path.is_file())
    return {"mib": sum(peak.values()), "seconds": time.perf_counter() - start, "at": peak, "files": made}


def worker(arguments: argparse.Namespace) -> dict[str, Any]:
    """One scene."""
    (side,) = arguments.sides
    if arguments.model is None:
        return stub(side)
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as name:
        return full(side, arguments.model, arguments.tile, Path(name))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sides", type=int, nargs="+", metavar="PX", help="sides of scenes, pixels")
    parser.add_argument("--model", type=Path, help="folder of a trained network: the whole run")
    parser.add_argument("--tile", type=Path, help="SAR tile of the model's sensor")
    parser.add_argument("--scratch", type=Path, help="folder for scenes and maps (that of the system)")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if (arguments.model is None) != (arguments.tile is None):
        parser.error("--model and --tile go together")
    if arguments.worker:
        print(json.dumps(worker(arguments)))
        return
    print(f"{'scene px':>9} {'peak MiB':>9} {'of first':>8} {'wall s':>8}")
    first = None
    for side in arguments.sides:
        words = [str(side), "--worker"]
        for name in ("model", "tile", "scratch"):
            if (value := getattr(arguments, name)) is not None:
                words += [f"--{name}", str(value.resolve())]
        command = [sys.executable, "-m", "tests.benchmarks.bench_map_memory", *words]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        found = json.loads(said.splitlines()[-1])
        first = first or found["mib"]
        print(f"{side:9} {found['mib']:9.0f} {found['mib'] / first:8.3f} {found['seconds']:8.1f}", flush=True)
        for key in ("at", "files"):
            if key in found:
                print(f"          {key}: {found[key]}", flush=True)


if __name__ == "__main__":
    main()
