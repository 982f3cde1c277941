"""Reading of OpenStreetMap's own format, PBF, as a stream.

Places of nodes are kept by libosmium: in memory for a city, in a file for a country. Ways pass in pieces, of
which only those that meet a tile are kept. Multipolygons are put together from the ways that they name, after
all ways were seen, and only those with a way on a tile.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import osmium
import shapely
from osmium.osm import NODE, RELATION, WAY, Relation, Way

from components.contract.temporary import scratch_folder
from components.lib.foreign import judged
from components.lib.osm.features import Features, Found, Geometries
from components.lib.osm.ground import Ground
from components.lib.osm.tags import Rules, Verdict

PIECE = 50_000
"""Ways that are held at a time before those away from all tiles are let go."""

IN_MEMORY_BYTES = 64 * 2**20
"""Size of a file, bytes, up to which its nodes are kept in memory (16 bytes each, some 8 million)."""

_MULTIPOLYGON = "multipolygon"


@dataclass(slots=True)
class _Relations:
    """Multipolygon relations with the task's tag: their verdicts, and the ways that they name."""

    verdicts: list[Verdict] = field(default_factory=list)
    ways: array[int] = field(default_factory=lambda: array("q"))
    owners: array[int] = field(default_factory=lambda: array("q"))
    outer: set[int] = field(default_factory=set)


class PbfReader:
    """Reader of one PBF file.

    Args:
        path: The file.
        rules: Rules of the task.
        ground: Tiles of interest.

    Attributes:
        found: What was read, once :meth:`read` has ended.
    """

    def __init__(self, path: Path, rules: Rules, ground: Ground) -> None:
        self.path, self.found = path, Found()
        self._rules, self._ground = rules, ground
        self._wkb = osmium.geom.WKBFactory()
        self._judged: dict[tuple[str | None, ...], Verdict] = {}

    def read(self) -> Found:
        """Read the file.

        Raises:
            BadDataError: If it is no PBF, is truncated, or has neither ways nor relations.
            ResourceError: If the disk has no room for the places of nodes.
        """
        with judged(self.path.name), ExitStack() as stack:
            self._header()
            relations = self._relations()
            nodes = self._index(stack)
            self._ways(nodes, relations)
            if relations.verdicts:
                self._assemble(nodes, relations)
        return self.found

    def _header(self) -> None:
        with osmium.io.Reader(str(self.path), osmium.osm.NOTHING) as reader:
            header = reader.header()
        self.found.timestamp = header.get("osmosis_replication_timestamp") or header.get("timestamp")
        box = header.box()
        if box.valid():
            low, high = box.bottom_left, box.top_right
            self.found.box = (low.lon, low.lat, high.lon, high.lat)

    def _index(self, stack: ExitStack) -> osmium.index.LocationTable:
        if self.path.stat().st_size <= IN_MEMORY_BYTES:
            return osmium.index.create_map("flex_mem")
        folder = stack.enter_context(scratch_folder("osm"))
        return osmium.index.create_map(f"sparse_file_array,{folder / 'nodes'}")

    def _judge(self, tags: osmium.osm.TagList) -> Verdict:
        values = tuple(map(tags.get, self._rules.keys))
        if values not in self._judged:
            self._judged[values] = self._rules.judge(values)
        return self._judged[values]

    def _relations(self) -> _Relations:
        relations = _Relations()
        key = self._rules.keys[0]
        processor = osmium.FileProcessor(str(self.path), RELATION).with_filter(osmium.filter.KeyFilter(key))
        for relation in processor:
            if not isinstance(relation, Relation) or relation.tags.get("type") != _MULTIPOLYGON:
                continue
            self.found.seen += 1
            verdict = self._judge(relation.tags)
            if verdict.reason:
                self.found.leave_out(verdict.reason)
                continue
            members = [member for member in relation.members if member.type == "w"]
            relations.ways.extend(member.ref for member in members)
            relations.owners.extend([len(relations.verdicts)] * len(members))
            # Its outer way often has the relation's tag as well, and would fill the holes.
            relations.outer.update(member.ref for member in members if member.role != "inner")
            relations.verdicts.append(verdict)
        return relations

    def _ways(self, nodes: osmium.index.LocationTable, relations: _Relations) -> None:
        processor = (
            osmium.FileProcessor(str(self.path), NODE | WAY)
            .with_locations(nodes)  # type: ignore[arg-type]  # its signature names one of the two
            .with_filter(osmium.filter.EntityFilter(WAY))
            .with_filter(osmium.filter.KeyFilter(self._rules.keys[0]))
        )
        piece = _Piece(self.found, self._ground)
        for way in processor:
            self.found.seen += 1
            verdict = self._judge(way.tags)
            if verdict.reason:
                self.found.leave_out(verdict.reason)
            elif isinstance(way, Way) and way.id not in relations.outer:
                self._add(way, verdict, piece)
        piece.flush()

    def _add(self, way: Way, verdict: Verdict, piece: _Piece) -> None:
        closed = way.is_closed()
        surface = verdict.area and closed
        if self._rules.task == "buildings" and not closed:
            self.found.leave_out("outline not closed")
            return
        try:
            piece.add(self._wkb.create_linestring(way), verdict, surface)
        except osmium.InvalidLocationError:
            self.found.leave_out("node missing in the extract")
            if not surface:
                for run in _known_runs(way):
                    piece.add(run, verdict, False)
        except RuntimeError:  # fewer than two different points
            self.found.leave_out("way without length")

    def _assemble(self, nodes: osmium.index.LocationTable, relations: _Relations) -> None:
        """Put those multipolygons together of which a way meets a tile."""
        ways, owners = np.array(relations.ways, dtype=np.int64), np.array(relations.owners, dtype=np.int64)
        met: list[int] = []
        for ids, pieces in self._lines(nodes, ways):
            met += ids[self._ground.meets(pieces)].tolist()
        wanted = np.unique(owners[np.isin(ways, met)])
        chosen = np.isin(owners, wanted)
        held: dict[int, shapely.LineString] = {}
        for ids, pieces in self._lines(nodes, ways[chosen]):
            held.update(zip(ids.tolist(), pieces, strict=True))
        for relation in wanted.tolist():
            members = np.unique(ways[owners == relation]).tolist()
            lines = [held[way] for way in members if way in held]
            whole = len(lines) == len(members)
            self._multipolygon(lines, whole, relations.verdicts[relation])

    def _multipolygon(self, lines: list[shapely.LineString], whole: bool, verdict: Verdict) -> None:
        noded = shapely.node(shapely.MultiLineString(lines))
        _, *open_lines = shapely.polygonize_full(shapely.get_parts(noded))
        if whole and np.all(shapely.is_empty(open_lines)):
            # Rings count by turns: outers, holes, and outers that lie inside of holes.
            self.found.add_polygons(np.array([shapely.build_area(noded)], dtype=object), [verdict])
            return
        self.found.leave_out("multipolygon not closed" if whole else "way missing in the extract")
        # Something stands there, and its outline is unknown.
        hull = np.array([shapely.convex_hull(noded)], dtype=object)
        self.found.parts.append(Features.of(hull, [verdict._replace(certain=False)]))

    def _lines(
        self, nodes: osmium.index.LocationTable, ids: Iterable[int]
    ) -> Iterator[tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Geometries]]:
        """Yield ids and lines of ways in pieces; those with missing nodes are left out."""
        located = osmium.NodeLocationsForWays(nodes)
        located.ignore_errors()
        named = osmium.filter.IdFilter(map(int, ids))  # held here: the iterator does not keep it alive
        kept: list[int] = []
        texts: list[str] = []
        with osmium.io.Reader(str(self.path), WAY) as reader:
            for way in osmium.OsmFileIterator(reader, located, named):
                if not isinstance(way, Way):
                    continue
                try:
                    texts.append(self._wkb.create_linestring(way))
                    kept.append(way.id)
                except (osmium.InvalidLocationError, RuntimeError):
                    continue
                if len(kept) == PIECE:
                    yield np.array(kept), _geometries(texts)
                    kept, texts = [], []
        if kept:
            yield np.array(kept), _geometries(texts)


class _Piece:
    """Ways that were read and not yet held against the tiles."""

    def __init__(self, found: Found, ground: Ground) -> None:
        self._found, self._ground = found, ground
        self._clear()

    def _clear(self) -> None:
        self._texts, self._verdicts, self._surface = list[str](), list[Verdict](), list[bool]()

    def add(self, wkb: str, verdict: Verdict, surface: bool) -> None:
        """Take a line as hexadecimal WKB."""
        self._texts.append(wkb)
        self._verdicts.append(verdict)
        self._surface.append(surface)
        if len(self._texts) == PIECE:
            self.flush()

    def flush(self) -> None:
        """Keep what meets a tile, and let all go."""
        lines = _geometries(self._texts)
        meets, surface = self._ground.meets(lines), np.array(self._surface, dtype=bool)
        for chosen, add in ((meets & ~surface, self._add_lines), (meets & surface, self._found.add_rings)):
            if chosen.any():
                add(lines[chosen], [self._verdicts[i] for i in np.flatnonzero(chosen).tolist()])
        self._clear()

    def _add_lines(self, lines: Geometries, verdicts: list[Verdict]) -> None:
        self._found.odd_widths += sum(verdict.odd_width for verdict in verdicts)
        self._found.parts.append(Features.of(lines, verdicts))


def _geometries(texts: list[str]) -> Geometries:
    return np.asarray(shapely.from_wkb(np.array(texts, dtype=object)), dtype=object)


def _known_runs(way: Way) -> Iterator[str]:
    """Yield the parts of a way between nodes that are missing, as hexadecimal WKB."""
    run: list[tuple[float, float]] = []
    for node in (*way.nodes, None):
        if node is not None and node.location.valid():
            run.append((node.lon, node.lat))
            continue
        if len(set(run)) > 1:
            yield str(shapely.to_wkb(shapely.LineString(run), hex=True))
        run = []
