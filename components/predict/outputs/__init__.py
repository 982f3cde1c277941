"""Files of a map: probability raster, footprints, thumbnail, vector tiles, web page and STAC item."""
