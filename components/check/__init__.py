"""Check of everything that a run needs, before its first stage: parameters, disk, sources, GPU, registry."""
