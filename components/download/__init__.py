"""Stage 1: fetch acquisitions of the catalogue into tar shards and one manifest."""
