"""Stage 2: per-tile features, a suite of expectations per sensor, quarantine and verdict."""
