"""Stage: draw the report of an evaluation from its results and example tiles."""
