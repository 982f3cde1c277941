"""Tiles of a release through validate and prepare: one is damaged, its neighbours must not notice."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random

import numpy as np
import shapely

from tests.campaign.processes import preload
from tests.campaign.readers.base import Reader
from tests.campaign.verdicts import Judgement, Outcome, last_line
from tests.campaign.world import (
    Release,
    Stored,
    TileKey,
    difference,
    landed,
    read_quarantined,
    read_release,
    read_store,
    repeated,
    run_stages,
    write_parameters,
)

NEIGHBOURS = 4
"""Sound tiles in every run."""


class Right(StrEnum):
    """Fates allowed to a damaged tile that is not quarantined.

    Attributes:
        SAME: It is stored as if undisturbed.
        KEPT: It must be stored, as if undisturbed: nothing about it is wrong.
        NEVER: It must be quarantined.
        REVERSED: Its SAR bands are stored in reversed order.
        OTHER: It must not be stored as if undisturbed.
        ANY: The damage may have changed its content, and nobody can tell.
    """

    SAME = "same"
    KEPT = "kept"
    NEVER = "never"
    REVERSED = "reversed"
    OTHER = "other"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Damage:
    """One damaged file.

    Attributes:
        described: What was done.
        content: The file.
        right: What may become of the tile.
        area_px: Area of all buildings in pixels, where an independent reading of labels knows it.
    """

    described: str
    content: bytes
    right: Right
    area_px: float | None = None


class ReleaseReader(Reader):
    """Judges up to 16 damaged tiles beside four sound ones in one run of validate and prepare.

    A run that fails as a whole is repeated with each half, down to the one tile that stops the rest.
    """

    at_once = 16

    def set_up(self) -> None:
        """Land the simulated release; store it undisturbed; load what the stages import."""
        self.release = repeated(read_release(landed(self.folder.parent)), 2)
        self.keys = list(self.release.tiles)
        folder = self._written(self.fresh("undisturbed"), self.release)
        stage, ended = run_stages(folder, run=preload)
        assert ended.code == 0, f"{stage}: {ended.stderr}"
        self.reference = read_store(folder / "data/prepared")
        assert len(self.reference.facts) == len(self.keys), "an undisturbed tile is missing"

    @abstractmethod
    def damage(self, rng: Random, tile: TileKey, files: Mapping[str, bytes]) -> tuple[str, Damage]:
        """Damage one file of a tile; return its product and the damage."""

    def judge(self, seeds: Sequence[int]) -> list[Judgement]:
        """Judge the damage that each seed draws; it falls on a tile of its own."""
        damages: dict[TileKey, tuple[int, str, Damage]] = {}
        for seed in seeds:
            tile = self.keys[seed % self.at_once]
            damages[tile] = (seed, *self.damage(Random(seed), tile, self.release.tiles[tile]))
        return self._judged(damages)

    def _judged(self, damages: dict[TileKey, tuple[int, str, Damage]]) -> list[Judgement]:
        kept = [*damages, *self.keys[self.at_once : self.at_once + NEIGHBOURS]]
        tiles = {key: dict(self.release.tiles[key]) for key in kept}
        for key, (_, product, damage) in damages.items():
            tiles[key][product] = damage.content
        folder = self._written(self.fresh("case"), Release(tiles, self.release.summaries))
        stage, ended = run_stages(folder)
        flaw = ended.flaw() or (
            f"exit {ended.code}: {last_line(ended.message[:300])}" if ended.code else None
        )
        if flaw is not None and len(damages) > 1:
            pairs = list(damages.items())
            half = len(pairs) // 2
            return [*self._judged(dict(pairs[:half])), *self._judged(dict(pairs[half:]))]
        seconds = ended.seconds / len(damages)
        if flaw is not None:
            ((seed, product, damage),) = damages.values()
            return [self._breach(seed, product, damage, f"stops {stage} for all tiles: {flaw}", seconds)]
        quarantined = read_quarantined(folder / "data/validated/quarantine.csv")
        stored = read_store(folder / "data/prepared")
        wrong = self._neighbours(quarantined, stored)
        found = []
        for key, (seed, product, damage) in damages.items():
            reason = wrong or self._wrong(key.image_id, damage, quarantined, stored)
            if reason is not None:
                found.append(self._breach(seed, product, damage, reason, seconds))
                continue
            outcome = Outcome.ACCEPTED if key.image_id in stored.facts else Outcome.QUARANTINED
            words = quarantined.get(key.image_id, "")
            found.append(
                Judgement(self.name, seed, f"{product}: {damage.described}", outcome, words, seconds)
            )
        return found

    def _breach(self, seed: int, product: str, damage: Damage, reason: str, seconds: float) -> Judgement:
        described = f"{product}: {damage.described}"
        return Judgement(self.name, seed, described, Outcome.BREACH, reason, seconds)

    def _written(self, folder: Path, release: Release) -> Path:
        release.write(folder / "data/raw/p00")
        write_parameters(folder / "params.yaml")
        return folder

    def _neighbours(self, quarantined: Mapping[str, str], stored: Stored) -> str | None:
        """Return what happened to a tile that nobody damaged."""
        for key in self.keys[self.at_once : self.at_once + NEIGHBOURS]:
            if key.image_id in quarantined:
                return f"quarantined an undamaged neighbour: {quarantined[key.image_id]}"
            changed = difference(self.reference, stored, key.image_id)
            if changed is not None:
                return f"changed an undamaged neighbour: {changed}"
        return None

    def _wrong(
        self, image_id: str, damage: Damage, quarantined: Mapping[str, str], stored: Stored
    ) -> str | None:
        """Return what is wrong with what became of a damaged tile."""
        if image_id not in stored.facts:
            if image_id not in quarantined:
                return "left out without a row in quarantine.csv"
            if damage.right is Right.KEPT:
                return f"quarantined though nothing is wrong: {quarantined[image_id]}"
            return None if quarantined[image_id].strip() else "quarantined without a reason"
        if image_id in quarantined:
            return "stored though it is quarantined"
        if damage.right is Right.NEVER:
            return "accepted what must be quarantined"
        changed = difference(self.reference, stored, image_id)
        if damage.right in (Right.SAME, Right.KEPT) and changed is not None:
            return f"accepted and {changed}"
        if damage.right is Right.OTHER and changed is None:
            return "accepted as if nothing were said"
        if damage.right is Right.REVERSED and not self._reversed(image_id, stored):
            return "accepted with the bands in the file's order, whatever their names"
        return _wrong_area(damage, stored.footprints.get(image_id, []))

    def _reversed(self, image_id: str, stored: Stored) -> bool:
        right = self.reference.arrays[image_id]["sar"][..., ::-1]
        return bool(np.array_equal(stored.arrays[image_id]["sar"], right))


def _wrong_area(damage: Damage, footprints: list[str]) -> str | None:
    if damage.area_px is None:
        return None
    area = sum(shapely.from_wkt(text).area for text in footprints)
    if abs(area - damage.area_px) > max(2.0, 0.01 * damage.area_px):
        return f"its footprints cover {area:.0f} pixels, read apart {damage.area_px:.0f}"
    return None
