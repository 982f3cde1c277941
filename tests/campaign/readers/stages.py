"""Files that concern a whole acquisition, through validate and prepare: what each tile must become."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import ClassVar

import numpy as np
import shapely

from tests.campaign.processes import preload
from tests.campaign.readers.base import SingleReader
from tests.campaign.verdicts import Judgement, Outcome, judged
from tests.campaign.world import (
    LABELS,
    Release,
    Stored,
    difference,
    landed,
    read_quarantined,
    read_release,
    read_store,
    run_stages,
    write_parameters,
)


class Fate(StrEnum):
    """Right end of a tile.

    Attributes:
        SAME: It is stored as undisturbed.
        TURNED: It is stored with its pixels turned by 180 degrees.
        OUT: It is not stored; where validate ran, it is quarantined with a reason.
        EITHER: It is stored as undisturbed, or not stored.
        PIXELS: Its images are stored as undisturbed, with other labels; or it is not stored.
    """

    SAME = "same"
    TURNED = "turned"
    OUT = "out"
    EITHER = "either"
    PIXELS = "pixels"


@dataclass(frozen=True, slots=True)
class Damaged:
    """One damaged input.

    Attributes:
        described: What was done.
        fates: Right end of every tile that is not ``usual``, by image id, if the input is accepted.
        usual: Right end of the other tiles.
        must: True if it must be refused, False if it must not, None where both are right.
        areas_px: Area of all footprints of a tile, in square pixels, where an independent reading knows it.
    """

    described: str
    fates: Mapping[str, Fate] = field(default_factory=dict)
    usual: Fate = Fate.SAME
    must: bool | None = None
    areas_px: Mapping[str, float] = field(default_factory=dict)


class StageReader(SingleReader):
    """Reader of a file of which there is one for all tiles; the release has four, of two strips.

    The second tile of each strip has no file of labels: the summary CSV stands in for it.
    """

    stages: ClassVar[tuple[str, ...]] = ("validate", "prepare")
    """Stages that run, in order; the input is what the first of them reads."""

    names: ClassVar[tuple[str, ...]]
    """Words of which a refusal must have one."""

    def set_up(self) -> None:
        """Prepare the undisturbed release; load what the stages import."""
        whole = read_release(landed(self.folder.parent))
        by_strip: dict[str, list[str]] = {}
        tiles = {}
        for key, files in whole.tiles.items():
            of_strip = by_strip.setdefault(key.strip, [])
            if len(of_strip) < 2:
                kept = {name: content for name, content in files.items() if name != LABELS or not of_strip}
                tiles[key] = kept
                of_strip.append(key.image_id)
        self.release = Release(tiles, whole.summaries)
        self.strips = by_strip
        self.image_ids = [image_id for of_strip in by_strip.values() for image_id in of_strip]
        self.unlabelled = [of_strip[1] for of_strip in by_strip.values()]
        self.sound = self.fresh("sound")
        self.write(self.sound, self.release)
        name, ended = run_stages(self.sound, self.stages, run=preload)
        assert ended.code == 0, f"{name}: {ended.stderr}"
        self.reference = read_store(self.sound / "data/prepared")
        assert set(self.reference.facts) == set(self.image_ids), "an undisturbed tile is missing"

    def write(self, folder: Path, release: Release) -> None:
        """Write shards, manifest and parameters."""
        release.write(folder / "data/raw/p00")
        write_parameters(folder / "params.yaml")

    @abstractmethod
    def damage(self, rng: Random, folder: Path) -> Damaged:
        """Write the inputs into ``folder``, one of them damaged."""

    def judge_one(self, seed: int) -> Judgement:
        """Run the stages on one damaged input."""
        folder = self.fresh("case")
        damaged = self.damage(Random(seed), folder)
        stage, ended = run_stages(folder, self.stages)
        wrong = self._wrong(folder, damaged) if ended.code == 0 else None
        if ended.code and damaged.must is False:
            wrong = f"{stage} refuses all tiles"
        left = wrong if ended.code else None
        if ended.code and stage == "prepare":
            left = _left_by_prepare(folder / "data/prepared")
        result = judged(
            self.name, seed, damaged.described, ended, names=self.names, accepted=wrong, left=left
        )
        out = ended.code == 0 and len(read_store(folder / "data/prepared").facts) < len(self.image_ids)
        if out and result.outcome is Outcome.ACCEPTED:
            return Judgement(
                self.name, seed, damaged.described, Outcome.QUARANTINED, result.reason, result.seconds
            )
        return result

    def _wrong(self, folder: Path, damaged: Damaged) -> str | None:
        """Return what is wrong with what was accepted."""
        if damaged.must:
            return "accepted what must be refused"
        stored = read_store(folder / "data/prepared")
        reasons = read_quarantined(folder / "data/validated/quarantine.csv") if self._validated else None
        strangers = set(stored.facts) - set(self.image_ids)
        if strangers:
            return f"stored {min(strangers)}, which nobody delivered"
        for image_id in self.image_ids:
            fate = damaged.fates.get(image_id, damaged.usual)
            wrong = self._wrong_tile(image_id, fate, stored, reasons) or self._wrong_area(
                image_id, damaged, stored
            )
            if wrong is not None:
                return f"{image_id} {wrong}"
        return None

    @property
    def _validated(self) -> bool:
        return "validate" in self.stages

    def _wrong_tile(
        self, image_id: str, fate: Fate, stored: Stored, reasons: Mapping[str, str] | None
    ) -> str | None:
        if image_id not in stored.facts:
            if fate in (Fate.SAME, Fate.TURNED):
                return f"is left out: {(reasons or {}).get(image_id, 'no reason')}"
            lost = fate is Fate.OUT and reasons is not None and not reasons.get(image_id)
            return "is left out without a row in quarantine.csv" if lost else None
        if fate is Fate.OUT:
            return "is stored and must not be"
        if fate is Fate.PIXELS:
            return self._other_pixels(image_id, stored, turned=False)
        if fate is Fate.TURNED:
            return self._other_pixels(image_id, stored, turned=True)
        return difference(self.reference, stored, image_id)

    def _other_pixels(self, image_id: str, stored: Stored, *, turned: bool) -> str | None:
        for name in ("sar", "optical"):
            right = self.reference.arrays[image_id][name]
            if not np.array_equal(stored.arrays[image_id][name], right[::-1, ::-1] if turned else right):
                return f"has another {name}"
        return None

    def _wrong_area(self, image_id: str, damaged: Damaged, stored: Stored) -> str | None:
        if image_id not in stored.facts or image_id not in damaged.areas_px:
            return None
        right = damaged.areas_px[image_id]
        found = sum(shapely.from_wkt(text).area for text in stored.footprints.get(image_id, []))
        if abs(found - right) > max(2.0, 0.01 * right):
            return f"has footprints of {found:.0f} square pixels, read apart {right:.0f}"
        return None


def _left_by_prepare(store: Path) -> str | None:
    """Return what a refusal must not leave: an index, or a part of a partition.

    A partition without tiles may be whole: the refusal is of the index over all of them then.
    """
    if (store / "index.parquet").exists():
        return "prepare left an index"
    halves = [sorted(path.name for path in (store / half).glob("*")) for half in ("layers", "tables")]
    return None if halves[0] == halves[1] else "prepare left a part of a partition"
