"""OpenStreetMap extracts as labels: reading, tags and widths, masks on the tiles' grids, their quality."""
