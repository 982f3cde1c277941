"""Average path length similarity (APLS) of two road graphs, in two definitions."""
