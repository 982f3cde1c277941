"""``python -m components.evaluate score``: CSV files of polygons in WKT."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.campaign.mutations import TEXT, Mutated, mutate_bytes
from tests.campaign.processes import command, preload, run_forked
from tests.campaign.readers.base import SingleReader
from tests.campaign.strict_csv import Footprint, NotStrictError, count, read_strictly
from tests.campaign.verdicts import Ended, Judgement, judged

MIN_AREA, IOU = 80.0, 0.5

_TILE = "20190804111224_20190804111453_tile_"
_HEADER = "ImageId,BuildingId,PolygonWKT_Pix,Confidence"


class Score(SingleReader):
    """Scoring files: a proposal or a truth file is damaged, and the counts are taken independently."""

    name = "score"

    def set_up(self) -> None:
        """Load what the command imports."""
        arguments = ("score", "--truth", "truth.csv", "--proposals", "proposals.csv")
        folder = self.fresh("case")
        for name in ("truth.csv", "proposals.csv"):
            (folder / name).write_bytes(_file(Random(0), shift=0))
        ended = preload(command("components.evaluate", *arguments), folder)
        assert ended.code == 0, ended.stderr

    def judge_one(self, seed: int) -> Judgement:
        """Score one pair of files."""
        rng = Random(seed)
        folder = self.fresh("case")
        files = {"truth.csv": _file(rng, shift=0), "proposals.csv": _file(rng, shift=rng.choice((0, 3, 9)))}
        victim = rng.choice(("truth.csv", "proposals.csv", "proposals.csv"))
        mutate = rng.choice((*_STRUCTURAL, _bytes, _bytes, _bytes))
        described, files[victim] = mutate(rng, files[victim])
        for name, content in files.items():
            (folder / name).write_bytes(content)
        area, wrong_area = rng.choice((("80", False),) * 12 + (("inf", True), ("nan", True), ("-1", True)))
        arguments = ("score", "--truth", "truth.csv", "--proposals", "proposals.csv", "--json")
        ended = run_forked(command("components.evaluate", *arguments, f"--min-area={area}"), folder)
        if wrong_area:
            described = f"{described}; --min-area {area}"
        return judged(
            self.name,
            seed,
            f"{victim}: {described}",
            ended,
            names=(victim, *(("min_area", "min-area") if wrong_area else ())),
            accepted=_accepted(ended, files, float(area)),
            left=_left(folder),
        )


def _accepted(ended: Ended, files: dict[str, bytes], min_area: float) -> str | None:
    """Return what is wrong with the numbers printed."""
    if ended.code != 0:
        return None
    tables: dict[str, list[Footprint]] = {}
    for name, content in files.items():
        try:
            tables[name] = read_strictly(content)
        except NotStrictError as error:
            return f"accepted, though {name}: {error}"
    truth, proposals = tables["truth.csv"], tables["proposals.csv"]
    if not 0.0 <= min_area < float("inf"):
        return None if ended.stderr.strip() else f"min-area {min_area} accepted without a word"
    right = count(truth, proposals, min_area, IOU)
    try:
        values = json.loads(ended.stdout)
    except json.JSONDecodeError:
        return f"printed no JSON: {ended.stdout[:80]!r}"
    found = values["TP"], values["FP"], values["FN"]
    if found != right:
        return f"another score: {found} instead of {right}"
    alike = {row[0] for row in truth} & {row[0] for row in proposals}
    if truth and proposals and not alike and not ended.stderr.strip():
        return "no id on both sides, and no word of it"
    if proposals and all(row[1].area <= min_area for row in proposals) and not ended.stderr.strip():
        return "every proposal below the least area, and no word of it"
    return None


def _left(folder: Path) -> str | None:
    more = sorted(path.name for path in folder.iterdir() if path.name not in ("truth.csv", "proposals.csv"))
    return f"left {more}" if more else None


def _file(rng: Random, *, shift: int) -> bytes:
    """Draw a file of nine buildings on three tiles."""
    lines = [_HEADER]
    for tile in range(3):
        for number in range(3):
            x, y = 10 + 40 * number + shift, 20 * tile + shift
            corners = ((x, y), (x + 20, y), (x + 20, y + 12), (x, y + 12), (x, y))
            ring = ", ".join(f"{a} {b}" for a, b in corners)
            lines.append(f'{_TILE}{tile},{number},"POLYGON (({ring}))",{0.5 + 0.04 * rng.randrange(10):.2f}')
    return ("\n".join(lines) + "\n").encode()


def _bytes(rng: Random, content: bytes) -> Mutated:
    return mutate_bytes(rng, content, TEXT)


def _lines(change: Callable[[Random, list[str]], str]) -> Callable[[Random, bytes], Mutated]:
    def mutate(rng: Random, content: bytes) -> Mutated:
        lines = content.decode().splitlines()
        described = change(rng, lines)
        return described, ("\n".join(lines) + "\n").encode("utf-8", errors="surrogatepass")

    return mutate


def _fields(line: str) -> list[str]:
    """Return id, number, polygon with its quotes, confidence."""
    first, _, rest = line.partition(',"')
    polygon, _, last = rest.partition('",')
    return [*first.split(","), f'"{polygon}"', last]


def _comma(rng: Random, lines: list[str]) -> str:
    chosen = range(1, len(lines)) if rng.random() < 0.5 else [rng.randrange(1, len(lines))]
    for number in chosen:
        lines[number] += ","
    return f"a comma at the end of {len(chosen)} rows"


def _cell(rng: Random, lines: list[str]) -> str:
    column = rng.randrange(4)
    what = rng.choice(_CELLS[column])
    rows = [rng.randrange(1, len(lines))] if rng.random() < 0.7 else range(1, len(lines))
    for row in rows:
        fields = _fields(lines[row])
        fields[column] = what.replace("<same>", fields[column].strip('"'))
        lines[row] = ",".join(fields)
    return f"{len(rows)} rows: field {column} is {what[:60]!r}"


def _header(rng: Random, lines: list[str]) -> str:
    lines[0] = rng.choice(
        (
            "ImageId,BuildingId,PolygonWKT_Pix",
            "imageid,buildingid,polygonwkt_pix,confidence",
            " ImageId , BuildingId , PolygonWKT_Pix , Confidence ",
            "ImageId,BuildingId,PolygonWKT_Pix,ImageId",
            "ImageId,BuildingId,PolygonWKT_Pix,PolygonWKT_Pix",
            "BuildingId,ImageId,PolygonWKT_Pix,Confidence",
            "ImageId;BuildingId;PolygonWKT_Pix;Confidence",
            '"ImageId","BuildingId","PolygonWKT_Pix","Confidence"',
            "ImageId,BuildingId,PolygonWKT_Geo,Confidence",
            "ImageId,BuildingId,PolygonWKT_Pix,Confidence,Note",
            "ImageId,BuildingId,PolygonWKT_Pix,",
            ",,,",
        )
    )
    return f"header {lines[0]!r}"


def _rows(rng: Random, lines: list[str]) -> str:
    what = rng.choice(
        ("dropped", "twice", "blank", "only the header", "short", "swapped", "quoted", "comment")
    )
    row = rng.randrange(1, len(lines))
    if what == "dropped":
        del lines[row]
    elif what == "twice":
        lines.insert(row, lines[row])
    elif what == "blank":
        lines.insert(row, rng.choice(("", "   ", ",,,", '""')))
    elif what == "only the header":
        del lines[1:]
    elif what == "short":
        lines[row] = lines[row].rsplit(",", 1)[0]
    elif what == "swapped":
        lines[row], lines[1] = lines[1], lines[row]
    elif what == "quoted":
        lines[row] = ",".join(f'"{field}"' if '"' not in field else field for field in _fields(lines[row]))
    else:
        lines.insert(row, "# a comment")
    return f"row {row} {what}"


_CELLS = (
    (
        "<same> ",
        " <same>",
        "<same>.tif",
        "",
        " ",
        "NA",
        "nan",
        '"<same>\n"',
        "<same>\u00a0",
        "SAR_<same>",
        '"<same>"',
    ),
    ("", "1e3", "NA", "-1", '"a,b"', "9" * 400),
    (
        '"POLYGON Z ((0 0 1, 30 0 1, 30 30 1, 0 30 1, 0 0 1))"',
        '"POLYGON ((0 0 1, 30 0 1, 30 30 1, 0 30 1, 0 0 1))"',
        '"POLYGON M ((0 0 1, 30 0 1, 30 30 1, 0 30 1, 0 0 1))"',
        '"POLYGON EMPTY"',
        '"MULTIPOLYGON (((0 0, 30 0, 30 30, 0 30, 0 0)))"',
        '"POINT (10 10)"',
        '"POINT EMPTY"',
        '"LINESTRING (0 0, 30 30)"',
        '"CURVEPOLYGON (CIRCULARSTRING (0 0, 30 30, 0 0))"',
        '"GEOMETRYCOLLECTION (POLYGON ((0 0, 30 0, 30 30, 0 30, 0 0)))"',
        '"TRIANGLE ((0 0, 30 0, 30 30, 0 0))"',
        '"POLYGON ((0 0, 30 0, 30 30, 0 30))"',
        '"POLYGON ((0 0, 30 30, 30 0, 0 30, 0 0))"',
        '"POLYGON ((0 0, nan 0, 30 30, 0 30, 0 0))"',
        '"POLYGON ((0 0, 1e400 0, 30 30, 0 30, 0 0))"',
        '"POLYGON ((0 0, 1e200 0, 1e200 1e200, 0 1e200, 0 0))"',
        '"POLYGON ((4.1 51.9, 4.2 51.9, 4.2 52.0, 4.1 52.0, 4.1 51.9))"',
        '"POLYGON ((0 0, 0 0, 0 0, 0 0))"',
        '"POLYGON (())"',
        '"SRID=4326;POLYGON ((0 0, 30 0, 30 30, 0 30, 0 0))"',
        f'"{"GEOMETRYCOLLECTION (" * 2000}POINT (0 0){")" * 2000}"',
        f'"{"GEOMETRYCOLLECTION (" * 200_000}POINT (0 0){")" * 200_000}"',
        f'"{"(" * 300_000}"',
        f'"POLYGON (({", ".join(f"{i} {i * i}" for i in range(20_000))}, 0 0))"',
        '""',
        "",
        '"None"',
        '"0103000000010000000500000000000000000000000000000000000000"',
        '"polygon((0 0,30 0,30 30,0 30,0 0))"',
    ),
    ("nan", "inf", "-inf", "", "0,9", "1e400", "high", "-5", " 0.5 ", "True", "1_0", "0x1p-2", "\u0661"),
)

_STRUCTURAL = tuple(_lines(change) for change in (_comma, _cell, _cell, _cell, _header, _rows))
