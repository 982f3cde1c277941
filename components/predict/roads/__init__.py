"""Road graphs of masks and probability rasters, as files."""
