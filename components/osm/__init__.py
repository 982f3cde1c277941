"""Stage osm: a pinned OpenStreetMap extract into masks of roads or buildings on the prepared tiles' grids."""
