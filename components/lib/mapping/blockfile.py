"""A finished block as bytes: its building levels, and what was drawn of it; damage is noticed.

The first line is JSON: format, shape (h, w), length of the deflated levels, SHA-256 of all that follows. Then
come the deflated levels and the drawn block.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass

import numpy as np

from components.contract.errors import BadDataError
from components.contract.hashing import sha256_bytes
from components.lib.mapping.levels import Levels

FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False)
class FinishedBlock:
    """Content of a block's file.

    Attributes:
        levels: (h, w) uint8 levels of the band ``building``.
        drawn: The drawn block, encoded (:mod:`components.lib.mapping.pieces`).
    """

    levels: Levels
    drawn: bytes


def pack(block: FinishedBlock) -> bytes:
    """Return the bytes of a block; equal blocks give equal bytes."""
    levels = zlib.compress(np.ascontiguousarray(block.levels).tobytes(), 1)
    body = levels + block.drawn
    head = {
        "format": FORMAT,
        "shape": list(block.levels.shape),
        "levels": len(levels),
        "sha256": sha256_bytes(body),
    }
    return json.dumps(head).encode() + b"\n" + body


def unpack(content: bytes, name: str) -> FinishedBlock:
    """Return the block of :func:`pack`.

    Args:
        content: Bytes of the file.
        name: Its name, for messages.

    Raises:
        BadDataError: If the bytes are no block, or were changed.
    """
    line, _, body = content.partition(b"\n")
    try:
        head = json.loads(line)
        height, width = (int(side) for side in head["shape"])
        length = int(head["levels"])
        if head["format"] != FORMAT or head["sha256"] != sha256_bytes(body):
            raise ValueError("other bytes than were written")
        raw = zlib.decompressobj().decompress(body[:length], height * width)
        levels = np.frombuffer(raw, dtype=np.uint8).reshape(height, width)
    except (ValueError, KeyError, TypeError, zlib.error, RecursionError) as error:
        raise BadDataError(
            f"block {name} is damaged: {error}", next_step="remove it and run the same command again"
        ) from error
    return FinishedBlock(levels, body[length:])
