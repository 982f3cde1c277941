"""Road graphs as files: GeoJSON, GraphML, and CSV in pixels."""
