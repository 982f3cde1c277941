"""Files packed into shards, with the rows of the manifest that name them."""

from __future__ import annotations

from components.lib.shards.manifest import FileRow
from components.lib.shards.writer import ShardWriter


def packed_row(
    shards: ShardWriter,
    name: str,
    content: bytes,
    *,
    acquisition: str,
    sensor: str,
    product: str,
    strip: str,
    tile: int,
    source: str = "file:///tiny",
    sha256: str | None = None,
) -> FileRow:
    """Add a file to the shards of an acquisition; return its row.

    Args:
        shards: Writer of the acquisition's shards.
        name: File name.
        content: The file.
        acquisition: Acquisition, and name of its folder of shards.
        sensor: Sensor of the acquisition.
        product: Product that the file belongs to.
        strip: Strip, "" for a summary file.
        tile: Number of the tile, -1 for a summary file.
        source: Address that the row names.
        sha256: Hash that the row states; None is the file's own.
    """
    written = shards.add(name, content)
    return FileRow(
        acquisition=acquisition,
        sensor=sensor,
        name=name,
        product=product,
        strip=strip,
        tile=tile,
        size=len(content),
        sha256=sha256 or written.sha256,
        source=source,
        shard=f"{acquisition}/{shards.names[written.slot.shard]}",
        offset=written.slot.offset,
    )
