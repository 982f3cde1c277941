"""Append-only, hash-chained histories in an object store; writers compete by compare-and-swap."""
