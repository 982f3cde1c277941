"""Training stores: tables and arrays, read as a training reads them."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd

from components.lib.cli import run
from components.lib.store.layout import SPLITS
from components.lib.store.store import Store
from tests.campaign.mutations import BINARY, mutate_bytes
from tests.campaign.processes import preload, run_forked
from tests.campaign.readers.base import SingleReader
from tests.campaign.verdicts import Judgement, judged
from tests.lib.store.tiny_store import OTHER, SENSOR, tiny_store

_SPLITS = ("train", "train", "selection", "test")
_WKT = "POLYGON ((1 1, 9 1, 9 9, 1 9, 1 1))"


class Stores(SingleReader):
    """Stores with a damaged file; what opens must give the undisturbed tiles."""

    name = "store"

    def set_up(self) -> None:
        """Write a store of two sensors; read it undisturbed."""
        table = pd.DataFrame(
            [
                {"acquisition": "a", "sensor": sensor, "image_id": f"tile_{row}", "building_id": 0}
                | {"wkt_px": _WKT, "area_px": 64.0, "height_m": 5.0}
                for sensor in (SENSOR, OTHER)
                for row in range(len(_SPLITS))
            ]
        )
        sound = self.fresh("sound")
        tiny_store(sound, splits=_SPLITS, clean=[False, False, False, True], footprints=table)
        self.sound = sound / "store"
        ended = preload(partial(read_all, self.sound), self.fresh("case"))
        assert ended.code == 0, ended.stderr
        self.right = ended.stdout

    def judge_one(self, seed: int) -> Judgement:
        """Read one store."""
        rng = Random(seed)
        folder = self.fresh("case")
        shutil.copytree(self.sound, folder / "store")
        files = sorted(path for path in (folder / "store").rglob("*") if path.is_file())
        if rng.random() < 0.4:
            path = rng.choice(files)
            described, content = mutate_bytes(rng, path.read_bytes(), BINARY)
            path.write_bytes(content)
            described, strict = f"{path.name}: {described}", False
        else:
            described, strict = rng.choice((_index, _index, _index, _array, _array, _file))(
                rng, folder / "store"
            )
        ended = run_forked(partial(read_all, Path("store")), folder)
        accepted = None
        if strict and ended.stdout != self.right:
            accepted = "opened a store that is not whole"
        names = ("index.parquet", "partitions.json", "footprints.parquet", "tables", ".npy", "layer", "store")
        return judged(self.name, seed, described, ended, names=names, accepted=accepted)


def read_all(folder: Path) -> None:
    """Run in the child: open the store and read every tile, truth and split; print their digests."""

    def main() -> None:
        store = Store.open(folder)
        digests: dict[str, Any] = {}
        for sensor in store.sensors:
            for split in SPLITS:
                rows = store.rows(sensor, split)
                digests[f"{sensor} {split}"] = rows.tolist()
                for row in rows:
                    for layer in ("sar", "optical", "target") if sensor == SENSOR else ("sar", "target"):
                        tile = store.tile(sensor, int(row), layer)
                        digest = hashlib.sha256(np.ascontiguousarray(tile.values).tobytes()).hexdigest()
                        place = (
                            [*map(float, tile.transform), tile.orientation]
                            if isinstance(tile.transform, tuple)
                            else str(tile.transform)
                        )
                        digests[f"{sensor} {row} {layer}"] = [digest, place]
            for image_id in sorted(set(store.index["image_id"])):
                digests[f"{sensor} {image_id}"] = [p.wkt for p in store.truth(str(image_id), sensor)]
        print(json.dumps(digests, sort_keys=True))

    run(main)


def _index(rng: Random, folder: Path) -> tuple[str, bool]:
    """Change the index or the footprints as a table."""
    name = rng.choice(("index.parquet",) * 4 + ("tables/p00/footprints.parquet",))
    table = pd.read_parquet(folder / name)
    column = rng.choice(list(table.columns))
    kind = rng.choice(
        ("value", "value", "value", "throughout", "drop", "twice", "lost row", "as text", "empty", "null")
    )
    row = rng.randrange(len(table))
    described = f"{name}: {column} {kind}"
    if kind in ("value", "throughout", "null"):
        value = None if kind == "null" else _odd(rng, column)
        changed = table[column].astype(object)
        if kind == "throughout":
            changed[:] = value
        else:
            changed.iloc[row] = value
        if changed.map(lambda v: v if v is None else str(v)).equals(table[column].map(str)):
            return "as it is", True
        table[column] = changed
        described = f"{described}: {value!r}"
        try:
            table.to_parquet(folder / name, index=False)
        except Exception:
            table[column] = changed.map(lambda v: None if v is None else str(v))
            table.to_parquet(folder / name, index=False)
        decisive = ("row", "position", "sensor", "acquisition", "split")
        return described, column in decisive and name == "index.parquet"
    if kind == "drop":
        table = table.drop(columns=column)
    elif kind == "twice":
        table = pd.concat([table, table.iloc[[row]]])
    elif kind == "lost row":
        table = table.drop(index=row)
    elif kind == "as text":
        table[column] = table[column].astype(str)
    else:
        table = table.iloc[:0]
    table.to_parquet(folder / name, index=False)
    needed = name == "index.parquet" and kind in ("twice", "lost row", "empty")
    return described, needed


def _odd(rng: Random, column: str) -> Any:
    if column in ("row", "position"):
        return rng.choice((-1, 4, 2**31 - 1, 0, 1, "0", 0.5))
    if column == "split":
        return rng.choice(("Train", "", "validation", "train ", "5"))
    if column == "acquisition":
        return rng.choice(("b", "", "a ", "../a"))
    if column == "sensor":
        return rng.choice(("nobody", "", "simulated-airborne ", "../x"))
    if column == "wkt_px":
        return rng.choice(
            ("POLYGON", "", "POINT (1 1)", "CURVEPOLYGON (CIRCULARSTRING (0 0, 3 3, 0 0))", "x" * 9)
        )
    return rng.choice((-1, 0, float("nan"), float("inf"), 2**31 - 1, "text", "", 1e300))


def _array(rng: Random, folder: Path) -> tuple[str, bool]:
    """Replace an array by one of another shape, type or order."""
    path = rng.choice(sorted(folder.rglob("*.npy")))
    array = np.load(path)
    name, other = rng.choice(
        (
            ("a tile less", array[:-1]),
            ("a tile more", np.concatenate([array, array[:1]])),
            ("no tile", array[:0]),
            ("a band less", array[..., :-1]),
            ("a row less", array[:, :-1]),
            ("channels first", np.moveaxis(array, -1, 1)),
            ("flat", array.reshape(-1)),
            ("int16", array.astype("i2")),
            ("float32", array.astype("f4")),
            ("float64", array.astype("f8")),
            ("bool", array.astype(bool)),
            ("text", array.astype("U3")),
            ("big-endian", array.astype(">u2")),
            ("objects", np.array([None, {}], dtype=object)),
            ("a scalar", np.array(5, dtype="u1")),
            ("in Fortran's order", np.asfortranarray(array)),
        )
    )
    same = name == "in Fortran's order"
    buffer = io.BytesIO()
    np.save(buffer, other, allow_pickle=True)
    content = buffer.getvalue()
    if rng.random() < 0.15:
        shape = str(array.shape).encode()
        claimed = rng.choice((b"(999999, 40, 40, 4)", b"(-1, 40, 40, 4)   ", b"(2**40,)           "))
        buffer = io.BytesIO()
        np.save(buffer, array)
        content, name, same = buffer.getvalue().replace(shape, claimed), f"header {claimed.decode()}", False
    path.write_bytes(content)
    del same
    return f"{path.parent.name}/{path.name}: {name}", True


def _file(rng: Random, folder: Path) -> tuple[str, bool]:
    """Remove a file, or put a folder or another file in its place."""
    path: Path = rng.choice(sorted(p for p in folder.rglob("*") if p.is_file()))
    kind = rng.choice(("removed", "a folder", "a dangling link", "another file"))
    content = path.read_bytes()
    path.unlink()
    replace: dict[str, Callable[[], object]] = {
        "removed": lambda: None,
        "a folder": path.mkdir,
        "a dangling link": lambda: path.symlink_to("nowhere"),
        "another file": lambda: path.write_bytes(b"PAR1" + content[::-1][:100] + b"PAR1"),
    }
    replace[kind]()
    return f"{path.name} {kind}", True
