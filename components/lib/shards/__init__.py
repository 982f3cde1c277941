"""Files of an acquisition as a few large tar shards and one manifest table.

DVC moves many small files slowly: the same bytes as 32 tar shards are pulled about 20 times faster than as
20,406 loose files (measured, reference stack.md section 3b).
"""

from components.lib.shards.manifest import FileRow, read_manifest, write_manifest
from components.lib.shards.packing import MAX_SHARDS, Packer, Slot, shard_name
from components.lib.shards.reader import ShardReader
from components.lib.shards.writer import ShardWriter, WrittenFile

__all__ = [
    "MAX_SHARDS",
    "FileRow",
    "Packer",
    "ShardReader",
    "ShardWriter",
    "Slot",
    "WrittenFile",
    "read_manifest",
    "shard_name",
    "write_manifest",
]
