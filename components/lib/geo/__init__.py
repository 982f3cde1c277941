"""Geospatial reading, writing and geometry; import the submodules directly."""
