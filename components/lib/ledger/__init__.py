"""Append-only, hash-chained histories in an object store; writers compete by compare-and-swap."""

from components.lib.ledger.chain import GENESIS, Chain, Entry, HeadMovedError

__all__ = ["GENESIS", "Chain", "Entry", "HeadMovedError"]
