"""Command that scores road graphs: APLS, with TOPO and relaxed scores beside it."""
