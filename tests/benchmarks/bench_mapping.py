"""Seconds of the probabilities and outlines of a whole scene: ours, the bare network, and plain loops.

    python -m tests.benchmarks.bench_mapping [--scene-px 4096] [--encoder mobilenet_v2] [--model FOLDER]
        [--batch 4] [--precision float32 bfloat16] [--rounds 3] [--threads 2] [--alone] [--peer-python PYTHON]

Every measurement is a process of its own, since the memory settings of ours last until a process ends; the
routes alternate, and ratios are medians of the ratios within a round. One process measures ours and, before
it, the *bare* network: the same prepared network (folded, fused) on one preallocated window, predicted by
the same threads with the same memory settings. The *naive* loop reads a window, predicts it (batch 1,
default allocator, weights as they are) and adds it to whole-scene arrays with the same linear weights;
*torchgeo* is its GridGeoSampler through a stock loader, batch as given, averaged where windows overlap. All
but the bare network read one GeoTIFF (uint8, tiled) and end by drawing the outlines of p > 0.5, so that
there is work to overlap with. The network is random, and finds the buildings that the scene's fourth band
shows: 1,500 a square kilometre. torchgeo is taken from ``--peer-python``, an interpreter that has it (see
bench_loader); left out without it. Memory: bench_map_memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.features
import torch
from rasterio.windows import Window
from torch import Tensor

from components.lib.geo.grid import Grid
from components.lib.mapping.ahead import ahead
from components.lib.mapping.allocator import share_kept_memory
from components.lib.mapping.blending import Blend
from components.lib.mapping.blocks import Blocks, Box, Windows
from components.lib.mapping.forward import map_blocks
from components.lib.mapping.levels import Levels
from components.lib.mapping.predicting import WindowSettings, predictions, prepared
from components.lib.mapping.scene import Pixels, SceneFacts
from components.lib.mapping.windows import Batch, Part
from components.lib.nets.bundle import load_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.nets.network import Maps, SegmentationNetwork

SENSOR, GSD, WEST, NORTH = "bench", 0.5, 595_000.0, 5_755_000.0
WINDOW, OVERLAP, SIDE = 512, 64, 2048
Route = Callable[[], Levels]


def facts(sensor: str) -> SceneFacts:
    return SceneFacts(
        name="bench", sensor=sensor, modality="sar", crs="EPSG:32631", orientation=0, acquired=None,
        sources=(), simulated=True,
    )  # fmt: skip


@dataclass
class RasterScene:
    """Scene in a GeoTIFF, read by one handle."""

    path: Path
    facts: SceneFacts

    def __post_init__(self) -> None:
        self.source, self.lock = rasterio.open(self.path), threading.Lock()
        self.grid = Grid(
            x_left_m=WEST, y_top_m=NORTH, gsd_m=GSD, height=self.source.height, width=self.source.width
        )

    def read(self, box: Box) -> Pixels:
        shared = box.shared(Box(0, 0, self.grid.height, self.grid.width))
        height, width = shared.shape
        pixels = np.zeros((*box.shape, 4), dtype=np.uint8)
        bands = np.moveaxis(pixels[shared.within(box)], -1, 0)
        with self.lock:
            self.source.read(out=bands, window=Window(shared.left, shared.top, width, height))
        return pixels


class WithPrior(SegmentationNetwork):
    """Random network that finds the buildings of the fourth band: its own logits, times 50, move p about."""

    def __init__(self, net: SegmentationNetwork) -> None:
        super().__init__(net.config)
        self.net = net

    def forward_maps(self, x: Tensor) -> Maps:
        maps = self.net.forward_maps(x)
        prior = (x[:, 3:4].float() - 128) / 64
        return Maps(50 * maps.logits + torch.cat([-prior, prior], dim=1), maps.contours)

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_maps(x).logits

    def supervised_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        return (self(x),)


def network(arguments: argparse.Namespace) -> SegmentationNetwork:
    if arguments.model:
        return load_bundle(arguments.model)
    torch.manual_seed(0)
    config = NetworkConfig(kind="deeplabv3plus", encoder=arguments.encoder, sensors=(SENSOR,))
    return WithPrior(build_network(config)).eval()


def write_scene(path: Path, side: int) -> None:
    """Write speckle over a smooth ground and, in band 4, 1,500 buildings a square kilometre; tiled by 512."""
    rng = np.random.default_rng(0)
    ground = np.kron(rng.uniform(30, 120, (side // 64 + 1,) * 2), np.ones((64, 64)))[:side, :side]
    buildings = np.full((side, side), 40, dtype=np.uint8)
    for top, left in rng.integers(0, side, (round(1500 * (side * GSD / 1000) ** 2), 2)):
        height, width = rng.integers(14, 40, 2)
        buildings[top : top + height, left : left + width] = 220
    transform = rasterio.transform.from_origin(WEST, NORTH, GSD, GSD)
    with rasterio.open(
        path, "w", driver="GTiff", width=side, height=side, count=4, dtype="uint8", crs="EPSG:32631",
        transform=transform, tiled=True, blockxsize=512, blockysize=512, interleave="pixel",
    ) as target:  # fmt: skip
        target.write(buildings, 4)
        for band in range(1, 4):
            speckle = rng.gamma(4, 0.25, (side, side)).astype(np.float32)
            target.write(np.clip(ground * speckle, 1, 255).astype(np.uint8), band)


def outlines(levels: npt.NDArray[np.uint8]) -> int:
    """Draw the outlines of p > 0.5; return their number."""
    mask = levels > 128
    return sum(1 for _ in rasterio.features.shapes(mask.astype(np.uint8), mask=mask))


def settings_of(arguments: argparse.Namespace) -> WindowSettings:
    return WindowSettings(
        window_px=WINDOW, overlap_px=OVERLAP, batch=arguments.batch, device=arguments.device,
        precision=arguments.precision[0],
    )  # fmt: skip


def our_route(net: SegmentationNetwork, scene: RasterScene, arguments: argparse.Namespace) -> Levels:
    """All blocks; outlines are drawn block by block."""
    blocks = Blocks((scene.grid.height, scene.grid.width), SIDE)
    whole = np.zeros(blocks.shape, dtype=np.uint8)
    for number, levels in map_blocks(net, [scene], blocks, range(len(blocks)), settings_of(arguments)):
        whole[blocks.box(number).within(Box(0, 0, *blocks.shape))] = levels[0]
        outlines(levels[0])
    return whole


def naive_route(net: SegmentationNetwork, scene: RasterScene, arguments: argparse.Namespace) -> Levels:
    """One window after the other into whole-scene arrays."""
    shape = (scene.grid.height, scene.grid.width)
    windows = Windows(shape, WINDOW, OVERLAP)
    everything = Box(0, 0, *shape)
    blend = Blend(1, everything, windows)
    total, weight = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    for window in windows.touching(everything):
        x = torch.from_numpy(scene.read(window)).permute(2, 0, 1)[None].contiguous()
        with torch.inference_mode():
            p = net.predict(x, scene.facts.sensor).softmax(dim=1)[0, 1].numpy()
        shared = window.shared(everything)
        own = blend.weights(window)[shared.within(window)]
        total[shared.within(everything)] += own * p[shared.within(window)]
        weight[shared.within(everything)] += own
    levels: Levels = (1 + np.rint(254 * total / weight)).astype(np.uint8)
    outlines(levels)
    return levels


def torchgeo_route(net: SegmentationNetwork, scene: RasterScene, arguments: argparse.Namespace) -> Levels:
    """torchgeo's grid of windows, averaged."""
    from torch.utils.data import DataLoader  # noqa: PLC0415
    from torchgeo.datasets import RasterDataset, stack_samples  # noqa: PLC0415 - no dependency of ours
    from torchgeo.samplers import GridGeoSampler  # noqa: PLC0415

    shape = (scene.grid.height, scene.grid.width)
    dataset = RasterDataset(scene.path.parent)
    sampler = GridGeoSampler(dataset, size=WINDOW, stride=WINDOW - OVERLAP)
    queries = list(sampler)
    total, count = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    loader = DataLoader(dataset, batch_size=arguments.batch, sampler=queries, collate_fn=stack_samples)
    place = iter(queries)
    for batch in loader:
        with torch.inference_mode():
            p = net.predict(batch["image"], scene.facts.sensor).softmax(dim=1)[:, 1].numpy()
        for one in p:
            x, y, *_ = next(place)
            top, left = round((NORTH - y.stop) / GSD), round((x.start - WEST) / GSD)
            window = Box(top, left, top + WINDOW, left + WINDOW)
            shared = window.shared(Box(0, 0, *shape))
            target = shared.within(Box(0, 0, *shape))
            total[target] += one[shared.within(window)]
            count[target] += 1
    levels: Levels = (1 + np.rint(254 * total / count)).astype(np.uint8)
    outlines(levels)
    return levels


def bare(net: SegmentationNetwork, sensor: str, settings: WindowSettings, count: int) -> None:
    """Predict ``count`` windows of one preallocated input by the threads that predict ours."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(1, 256, (settings.rows, WINDOW, WINDOW, 4), dtype=np.uint8)
    part = Part(0, 0, Box(0, 0, WINDOW, WINDOW), "predicted", None, False, False, False)
    batches = (
        Batch(pixels, sensor, [part] * min(settings.rows, count - start))
        for start in range(0, count, settings.rows)
    )
    # In a thread, as ours is: which heap it uses decides much.
    for _ in ahead(predictions(net, batches, settings), depth=1, name="bare"):
        pass


def timed(work: Callable[[], Any]) -> dict[str, float]:
    """Wall and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def worker(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """One process's measurement."""
    torch.set_num_threads(arguments.threads)
    net = network(arguments)
    sensor = net.config.sensors[0]
    scene = RasterScene(arguments.scene, facts(sensor))
    result: dict[str, Any] = {}
    if name == "ours":
        settings = settings_of(arguments)
        share_kept_memory()
        net = net.to(arguments.device).to(memory_format=torch.channels_last)
        windows = Windows((scene.grid.height, scene.grid.width), WINDOW, OVERLAP)
        count = len(windows.touching(Box(0, 0, *windows.shape)))
        fast = prepared(net.eval(), sensor, settings)
        bare(fast, sensor, settings, 2 * settings.batch)
        result["bare"] = timed(lambda: bare(fast, sensor, settings, count))
        net.eval()
    route = {"ours": our_route, "naive": naive_route, "torchgeo": torchgeo_route}[name]
    levels: list[Levels] = []
    result[name] = timed(lambda: levels.append(route(net, scene, arguments)))
    result["rss_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    np.save(arguments.scene.parent.parent / f"{name}-{arguments.precision[0]}.npy", levels[0])
    return result


def started(python: str, *words: str) -> dict[str, Any]:
    """Result of this module in a process of its own."""
    command = [python, "-m", "tests.benchmarks.bench_mapping", *words]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    result: dict[str, Any] = json.loads(out.splitlines()[-1])
    return result


def difference(a: Levels, b: Levels) -> str:
    apart = np.abs(a.astype(np.int16) - b)
    flips = np.mean((a > 128) != (b > 128))
    return (
        f"equal {np.mean(apart == 0):.2%}, within 1 level {np.mean(apart <= 1):.3%}, largest {apart.max()}, "
        f"other side of 0.5: {flips:.4%}"
    )


def main_speed(arguments: argparse.Namespace) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "scene"
        folder.mkdir()
        write_scene(folder / "scene.tif", arguments.scene_px)
        common = [
            "--scene", str(folder / "scene.tif"), "--encoder", arguments.encoder, "--batch",
            str(arguments.batch), "--threads", str(arguments.threads), "--device", arguments.device,
            *(["--model", str(arguments.model)] if arguments.model else []),
        ]  # fmt: skip
        rounds: list[dict[str, Any]] = []
        for _ in range(arguments.rounds):
            row: dict[str, Any] = {}
            for precision in arguments.precision:
                m = started(sys.executable, "--worker", "ours", *common, "--precision", precision)
                row[f"bare {precision}"] = {**m["bare"], "rss_mib": float("nan")}
                row[f"ours {precision}"] = {**m["ours"], "rss_mib": m["rss_mib"]}
            if not arguments.alone:
                m = started(sys.executable, "--worker", "naive", *common)
                row["naive"] = {**m["naive"], "rss_mib": m["rss_mib"]}
            if arguments.peer_python and not arguments.alone:
                m = started(arguments.peer_python, "--worker", "torchgeo", *common)
                row["torchgeo"] = {**m["torchgeo"], "rss_mib": m["rss_mib"]}
            rounds.append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)
        maps = {p.stem: np.load(p) for p in Path(name).glob("*.npy")}
    report(arguments, rounds)
    for a, b in (("ours-float32", "naive-float32"), ("ours-bfloat16", "ours-float32")):
        if a in maps and b in maps:
            print(f"{a} and {b}: {difference(maps[a], maps[b])}")


def report(arguments: argparse.Namespace, rounds: list[dict[str, Any]]) -> None:
    print(
        f"{arguments.model or arguments.encoder}, scene {arguments.scene_px} px, batch {arguments.batch}, "
        f"{arguments.threads} thread(s), {arguments.device}, torch {torch.__version__}, {len(rounds)} rounds"
    )

    def median(name: str, key: str) -> float:
        return float(statistics.median(r[name][key] for r in rounds))

    def ratio(over: str, under: str, key: str) -> float:
        return float(statistics.median(r[over][key] / r[under][key] for r in rounds))

    print(f"{'':16} {'wall s':>8} {'CPU s':>8} {'Mpx/s':>6} {'MiB':>6}")
    area = arguments.scene_px**2 / 1e6
    for name in rounds[0]:
        wall, cpu = median(name, "wall"), median(name, "cpu")
        print(f"{name:16} {wall:8.2f} {cpu:8.2f} {area / wall:6.2f} {median(name, 'rss_mib'):6.0f}")
    for precision in arguments.precision:
        ours = f"ours {precision}"
        for other in (f"bare {precision}", "naive", "torchgeo"):
            if other in rounds[0]:
                print(
                    f"{ours}, throughput over {other}: {ratio(other, ours, 'wall'):.2f} by wall, "
                    f"{ratio(other, ours, 'cpu'):.2f} by CPU"
                )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scene-px", type=int, default=4096)
    parser.add_argument("--encoder", default="mobilenet_v2")
    parser.add_argument("--model", type=Path, help="folder of a trained network instead")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--precision", nargs="+", choices=("float32", "bfloat16"), default=["float32", "bfloat16"]
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help="ours and the bare network alone")
    parser.add_argument("--peer-python", help="interpreter that has torchgeo and this project's packages")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--scene", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        print(json.dumps(worker(arguments.worker, arguments)))
    else:
        main_speed(arguments)


if __name__ == "__main__":
    main()
