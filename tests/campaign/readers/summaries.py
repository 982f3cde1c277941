"""Summary files of a release: orientation flags, and the CSV of all buildings."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random

import shapely

from tests.campaign.mutations import TEXT, mutate_bytes
from tests.campaign.readers.stages import Damaged, Fate, StageReader
from tests.campaign.strict_csv import NotStrictError, polygon, read_rows
from tests.campaign.world import SIDE_PX

ORIENTATIONS = "SAR_orientations.txt"


class OrientationFiles(StageReader):
    """Orientation flags: a strip whose line is damaged is quarantined, the other strip goes on."""

    name = "orientations"
    names = (ORIENTATIONS, "orientation", "quarantine.csv")

    def damage(self, rng: Random, folder: Path) -> Damaged:
        """Damage the flags' bytes or a line."""
        content = self.release.summaries[ORIENTATIONS]
        if rng.random() < 0.4:
            described, changed = mutate_bytes(rng, content, TEXT)
        else:
            described, changed = _line(rng, content)
        summaries = {**self.release.summaries, ORIENTATIONS: changed}
        self.write(folder, replace(self.release, summaries=summaries))
        found = read_flags(changed)
        if found is None:
            return Damaged(described, must=True)
        right = read_flags(content)
        assert right is not None
        fates = {
            image_id: Fate.OUT
            if strip not in found
            else Fate.SAME
            if found[strip] == right[strip]
            else Fate.TURNED
            for strip, image_ids in self.strips.items()
            for image_id in image_ids
        }
        nothing = all(fate is Fate.OUT for fate in fates.values())
        return Damaged(described, fates, must=nothing)


def read_flags(content: bytes) -> dict[str, int] | None:
    """Read orientation flags independently; None if they are no text.

    A strip has a flag if every line that begins with its name gives it the same one.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    if "\0" in text:
        return None
    said: dict[str, set[str]] = {}
    for line in text.splitlines():
        words = line.split()
        if words:
            said.setdefault(words[0], set()).add(" ".join(words[1:]))
    return {strip: int(min(flags)) for strip, flags in said.items() if flags in ({"0"}, {"1"})}


def _line(rng: Random, content: bytes) -> tuple[str, bytes]:
    """Damage one line."""
    lines = content.decode().splitlines()
    number = rng.randrange(len(lines))
    strip, flag = lines[number].split()
    other = "1" if flag == "0" else "0"
    kinds: dict[str, list[str]] = {
        "removed": [],
        "twice": [lines[number]] * 2,
        "with both flags": [lines[number], f"{strip} {other}"],
        "with a third word": [f"{strip} {flag} south"],
        "with a comment": [f"{strip} {flag} # south"],
        "without a flag": [strip],
        "without a strip": [flag],
        "as a word": [f"{strip} south"],
        "flag 2": [f"{strip} 2"],
        "flag -0": [f"{strip} -0"],
        "flag 1.0": [f"{strip} {flag}.0"],
        "with a tab": [f"\t{strip}\t{flag}  "],
        "with a comma": [f"{strip},{flag}"],
        "with the other flag": [f"{strip} {other}"],
        "of another strip": [f"{strip[:-1]}9 {flag}"],
        "in quotes": [f'"{strip}" {flag}'],
        "below a header": ["strip orientation", lines[number]],
        "in full-width digits": [f"{strip} {chr(0xFF10 + int(flag))}"],
        "of 100,000 letters": ["x" * 100_000, lines[number]],
    }
    kind = rng.choice(list(kinds))
    lines[number : number + 1] = kinds[kind]
    return f"line {number + 1} {kind}", "".join(f"{line}\n" for line in lines).encode()


class SummaryTables(StageReader):
    """The CSV of all buildings: only tiles without a file of labels take their labels from it."""

    name = "summary"
    names = ("Buildings.csv",)

    def damage(self, rng: Random, folder: Path) -> Damaged:
        """Damage the CSV's bytes, or rows of tiles that need it."""
        (name,) = (name for name in self.release.summaries if name != ORIENTATIONS)
        content = self.release.summaries[name]
        if rng.random() < 0.4:
            described, changed = mutate_bytes(rng, content, TEXT)
        else:
            described, changed = self._row(rng, content.decode())
        summaries = {**self.release.summaries, name: changed}
        self.write(folder, replace(self.release, summaries=summaries))
        found = read_areas(changed)
        if found is None:
            return Damaged(described, must=True)
        fates, areas = {}, {}
        for image_id in self.unlabelled:
            area = found.get(image_id, "no row")
            fates[image_id] = Fate.PIXELS if isinstance(area, float) else Fate.EITHER
            if area == "no row":
                fates[image_id] = Fate.EITHER
            elif area == "odd":
                fates[image_id] = Fate.PIXELS
            elif isinstance(area, float):
                areas[image_id] = area
        return Damaged(described, fates, must=False, areas_px=areas)

    def _row(self, rng: Random, text: str) -> tuple[str, bytes]:
        lines = text.splitlines()
        mine = [n for n, line in enumerate(lines) if line.startswith(tuple(self.unlabelled))]
        number = rng.choice(mine)
        image_id = lines[number].partition(",")[0]
        kinds = {
            "removed": [],
            "twice": [lines[number]] * 2,
            "of another tile": [f"x{lines[number]}"],
            "without an id": [lines[number][len(image_id) :]],
            "with a blank behind the id": [lines[number].replace(",", " ,", 1)],
            "with a field more": [f"{lines[number]},1"],
            "with a comma behind": [f"{lines[number]},"],
            "with a field less": [lines[number].rpartition(",")[0]],
            "with an open quote": [f'{lines[number]}"'],
            "of a field only": [image_id],
            "with an odd height": [f"{lines[number].rpartition(',')[0]},-inf"],
            "above the header": [],
            "with an odd geometry": [f'{image_id},0,"{rng.choice(_GEOMETRIES)}",1,1,0'],
        }
        kind = rng.choice([*kinds, *["with an odd geometry"] * 8])
        row = lines[number]
        lines[number : number + 1] = kinds[kind]
        if kind == "above the header":
            lines.insert(0, row)
        return f"row {number} {kind}: {kinds[kind][:1]}"[:160], "".join(
            f"{line}\n" for line in lines
        ).encode()


_GEOMETRIES = (
    "POLYGON EMPTY",
    "POLYGON Z ((0 0 1, 30 0 1, 30 30 1, 0 30 1, 0 0 1))",
    "MULTIPOLYGON (((0 0, 30 0, 30 30, 0 30, 0 0)), ((50 50, 60 50, 60 60, 50 60, 50 50)))",
    "CURVEPOLYGON (CIRCULARSTRING (4 4, 5 5, 7 4, 5 2, 4 4))",
    "GEOMETRYCOLLECTION (POLYGON ((0 0, 30 0, 30 30, 0 30, 0 0)))",
    "POINT (4 4)",
    "LINESTRING (0 0, 30 30)",
    "POLYGON ((0 0, 30 0, 30 30, 0 30))",
    "POLYGON ((0 0, 30 30, 30 0, 0 30, 0 0))",
    "POLYGON ((0 0, nan 0, 30 30, 0 30, 0 0))",
    "POLYGON ((0 0, 1e400 0, 30 30, 0 30, 0 0))",
    "POLYGON ((0 0, 1e200 0, 1e200 1e200, 0 1e200, 0 0))",
    "POLYGON ((0 0, 0 0, 0 0, 0 0))",
    "POLYGON ((-50 -50, 300 -50, 300 300, -50 300, -50 -50))",
    "POLYGON ((500 500, 530 500, 530 530, 500 530, 500 500))",
    "POLYGON (())",
    "SRID=4326;POLYGON ((0 0, 30 0, 30 30, 0 30, 0 0))",
    "polygon((0 0,30 0,30 30,0 30,0 0))",
    "GEOMETRYCOLLECTION(" * 100_000,
    "(" * 1000,
    "no geometry",
    "",
)


def read_areas(content: bytes) -> dict[str, float | str] | None:
    """Read the CSV independently.

    Returns:
        By image id the area of its buildings inside of the tile in square pixels, or ``odd`` if a row of it
        needs a repair or cannot be read; None if it is no table with the needed columns.
    """
    try:
        rows = read_rows(content)
    except NotStrictError:
        return None
    header = [name.strip().lower() for name in rows[0]] if rows else []
    if not {"imageid", "polygonwkt_pix"} <= set(header) or len(set(header)) < len(header):
        return None
    image, wkt = header.index("imageid"), header.index("polygonwkt_pix")
    tile = shapely.box(0, 0, SIDE_PX, SIDE_PX)
    found: dict[str, float | str] = {}
    for row in rows[1:]:
        image_id = row[image].strip() if image < len(row) else ""
        so_far, part = found.get(image_id, 0.0), None
        with suppress(NotStrictError):
            shape = polygon(row[wkt] if len(row) == len(header) else "")
            if shape.is_valid and shape.area < 1e6:
                part = float(shapely.intersection(shape, tile).area)
        found[image_id] = "odd" if part is None or isinstance(so_far, str) else so_far + part
    return found
