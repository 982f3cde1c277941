"""Scene of roads whose mask is known, and maps of it by a network that answers what it sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from components.lib.config.scoring import ScoringSettings
from components.lib.mapping.scene import Scene
from components.lib.objects.folder import FolderObjects
from components.predict.mapping import SceneMap
from components.predict.models import ServedModel
from components.predict.parameters import MapParameters
from components.predict.request import map_of
from components.predict.rules import MapRules
from tests.lib.mapping.looks_at_ground import Nearby, PixelScene
from tests.lib.roads.tracing.masks import Pixels

SHAPE = (300, 420)
PREFIX = "blocks/"


def road_mask() -> Pixels:
    """Streets across all blocks: two along the rows, one along the columns, a slope, and a ring."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    ring = np.abs(np.hypot(y - 150, x - 310) - 70) < 4.5
    slope = (np.abs(y - 0.6 * x - 20) < 5.5) & (x < 240)
    rows = (np.abs(y - 150) < 6.5) | (np.abs(y - 270) < 3.5)
    return np.asarray(ring | slope | rows | (np.abs(x - 130) < 4.5))


def road_scene(mask: Pixels | None = None) -> PixelScene:
    """Scene whose first band is 250 on roads and 5 beside them; its first three columns have no data."""
    pixels = np.full((*SHAPE, 4), 5, dtype=np.uint8)
    pixels[..., 0] = np.where(road_mask() if mask is None else mask, 250, 5)
    pixels[:, :3] = 0
    return PixelScene(pixels)


def road_map(scene: Scene, *, scoring: ScoringSettings | None = None, **parameters: object) -> SceneMap:
    """Open the map of a scene."""
    model = ServedModel(
        net=Nearby(reach=0, task="roads"), name="models/test", version="", weights_sha256="0" * 64,
        promoted=False, item_href=None,
    )  # fmt: skip
    given = {"window_px": 128, "overlap_px": 32, "block_px": 100, **parameters}
    rules = MapRules(MapParameters.model_validate(given), scoring or ScoringSettings())
    return map_of([scene], model, rules, "test")


def finished(opened: SceneMap, folder: Path) -> dict[str, bytes]:
    """Map all blocks and write the files; return their bytes by name."""
    work = FolderObjects(folder / "work")
    opened.map_blocks(range(len(opened.blocks)), work, PREFIX)
    opened.finish(work, PREFIX, folder / "out")
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir()}


def traced(opened: SceneMap, folder: Path) -> dict[str, bytes]:
    """Map all blocks and write raster and graph alone; return their bytes by name."""
    work = FolderObjects(folder / "work")
    opened.map_blocks(range(len(opened.blocks)), work, PREFIX)
    (folder / "out").mkdir()
    opened.write_blocks(work, PREFIX, folder / "out")
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir()}
