"""Footprints of one scene for every division, number of processes and moment of a kill: are they the same?

    python -m tests.benchmarks.bench_map_grid [--windows 80 96 160] [--blocks 64 100 256]
        [--workers 1 2 8] [--points 20]

The scene is simulated: planted buildings of 300 x 420 px, one of them larger than every block, with a
network that answers what it sees. Each run maps the blocks with real processes that share nothing but a
folder, kills all of them by SIGKILL at one block (in turn: before it is written, when it is half written,
when it is there), maps what is missing with the same number of processes, and compares the sorted WKB and the
raster with those of the whole scene as one block and one window. Exits with 1 if a single run differs.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import multiprocessing.connection
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from multiprocessing.context import ForkProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import torch
from tqdm import tqdm

from components.lib.mapping.blocks import shares
from components.lib.objects.folder import FolderObjects
from tests.lib.mapping.looks_at_ground import PixelScene
from tests.predict.test_mapping import PREFIX, mapped, pixels_of, planted, write

_FORK = multiprocessing.get_context("fork")  # seconds of imports for each process would be the most of it
_SHARES = 4


class DyingFolder(FolderObjects):
    """Folder of blocks whose writer is killed at one block.

    Args:
        root: The folder.
        counter: Blocks that were begun so far, by all processes.
        deadly: Number of the block at which its process is killed, from 1.
        moment: 0 kills before the block is written, 1 when it is half written, 2 when it is there.
    """

    def __init__(self, root: Path, counter: Synchronized[int], deadly: int, moment: int) -> None:
        super().__init__(root)
        self._counter = counter
        self._deadly = deadly
        self._moment = moment

    def create(self, key: str, content: bytes) -> bool:
        """See :class:`FolderObjects`."""
        with self._counter.get_lock():
            self._counter.value += 1
            deadly = self._counter.value == self._deadly
        if not deadly:
            return super().create(key, content)
        if self._moment == 1:
            with self._written(content):
                _die()
        if self._moment == 2:
            super().create(key, content)
        _die()
        raise AssertionError("dead")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def identical(
    scene: PixelScene, window: int, block: int, workers: int, kill: tuple[int, int], expected: str
) -> bool:
    """Return whether a scene mapped with a kill and a second start gives the expected map.

    Args:
        scene: The scene.
        window: Side of windows, pixels.
        block: Side of blocks, pixels.
        workers: Processes.
        kill: Point of the kill, and the number of points that the blocks are divided by.
        expected: Digest of the map, of :func:`digest`.
    """
    folder = Path(tempfile.mkdtemp(prefix="map-grid-"))
    try:
        total = len(mapped(scene, window_px=window, block_px=block).blocks)
        point, points = kill
        counter: Synchronized[int] = _FORK.Value("i", 0)
        dying = DyingFolder(folder / "work", counter, 1 + point * total // points, point % 3)
        codes = _mapped_by(scene, window, block, workers, dying)
        if -signal.SIGKILL not in codes:
            raise RuntimeError(f"nothing was killed: {codes}")
        work = FolderObjects(folder / "work")
        codes = _mapped_by(scene, window, block, workers, work)
        if any(codes):
            raise RuntimeError(f"a process failed: {codes}")
        return digest(scene, window, block, work, folder / "out") == expected
    finally:
        shutil.rmtree(folder)


def digest(scene: PixelScene, window: int, block: int, work: FolderObjects, out: Path) -> str:
    """Return the SHA-256 of the sorted WKB and of the raster's pixels of finished blocks."""
    receive, send = _FORK.Pipe(duplex=False)

    def child() -> None:
        polygons, raster = write(mapped(scene, window_px=window, block_px=block), work, out)
        send.send(hashlib.sha256(b"".join([*polygons, pixels_of(raster)])).hexdigest())

    # This process starts no thread, of Arrow or others: a fork would take over the locks that one holds.
    process = _FORK.Process(target=child)
    process.start()
    process.join()
    return str(receive.recv()) if process.exitcode == 0 else f"exit code {process.exitcode}"


def _mapped_by(
    scene: PixelScene, window: int, block: int, workers: int, work: FolderObjects
) -> list[int | None]:
    """Map the missing blocks with processes, all of which are killed when one is; return their exit codes."""
    opened = mapped(scene, window_px=window, block_px=block)
    missing = opened.missing(work, PREFIX)
    parts = [missing[part.start : part.stop] for part in shares(len(missing), workers * _SHARES)]

    def child(own: Sequence[Sequence[int]]) -> None:
        # tqdm's lock is shared with forks: one that is killed while it holds the lock would stop all others.
        tqdm.set_lock(threading.RLock())
        for part in own:
            mapped(scene, window_px=window, block_px=block).map_blocks(part, work, PREFIX, quiet=True)

    processes = [_FORK.Process(target=child, args=(parts[first::workers],)) for first in range(workers)]
    for process in processes:
        process.start()
    _wait(processes)
    return [process.exitcode for process in processes]


def _wait(processes: Sequence[ForkProcess]) -> None:
    running = list(processes)
    while running:
        multiprocessing.connection.wait([process.sentinel for process in running])
        for process in [one for one in running if not one.is_alive()]:
            running.remove(process)
            if process.exitcode == -signal.SIGKILL:
                for other in running:
                    other.kill()
    for process in processes:
        process.join()


def main() -> int:
    """Print the table; return 1 if a run differs."""
    parser = argparse.ArgumentParser(description="Footprints for every division, number of processes, kill.")
    parser.add_argument("--windows", type=int, nargs="+", default=[80, 96, 160], metavar="PX")
    parser.add_argument("--blocks", type=int, nargs="+", default=[64, 100, 256], metavar="PX")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 8], metavar="N")
    parser.add_argument("--points", type=int, default=20, metavar="N", help="moments of a kill (default 20)")
    options = parser.parse_args()
    torch.set_num_threads(1)  # before any forward pass: threads would not survive a fork
    start, scene = time.perf_counter(), planted()[0]
    expected = _expected(scene)
    print("| window px | block px | " + " | ".join(f"{n} processes" for n in options.workers) + " |")
    print("|---" * (2 + len(options.workers)) + "|", flush=True)
    different = 0
    runs = len(options.windows) * len(options.blocks) * len(options.workers) * options.points
    with tqdm(total=runs, unit="run", disable=None) as bar:
        for window in options.windows:
            for block in options.blocks:
                row = []
                for workers in options.workers:
                    same = 0
                    for point in range(options.points):
                        kill = (point, options.points)
                        same += identical(scene, window, block, workers, kill, expected)
                        bar.update()
                    row.append(f"{same}/{options.points}")
                    different += options.points - same
                print(f"| {window} | {block} | " + " | ".join(row) + " |", flush=True)
    print(f"{runs - different} of {runs} runs give the same map; {time.perf_counter() - start:.0f} s")
    return int(different > 0)


def _expected(scene: PixelScene) -> str:
    """Return the digest of the whole scene as one block and one window, mapped in a process of its own."""
    folder = Path(tempfile.mkdtemp(prefix="map-grid-"))
    try:
        work = FolderObjects(folder / "work")
        _mapped_by(scene, 512, 512, 1, work)
        return digest(scene, 512, 512, work, folder / "out")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
