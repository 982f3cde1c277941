"""Arrays to GeoTIFF bytes laid out as in the real release."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from rasterio.io import MemoryFile
from rasterio.transform import from_origin

from components.simulation.frame import Frame


def to_geotiff(array: npt.NDArray[np.generic], frame: Frame, crs: str) -> bytes:
    """Encode ``array`` (bands, rows, cols): uncompressed, band-interleaved, blocks of 9 rows, no-data 0."""
    bands, rows, cols = array.shape
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            width=cols,
            height=rows,
            count=bands,
            dtype=array.dtype,
            crs=crs,
            transform=from_origin(frame.x_left, frame.y_top, frame.gsd, frame.gsd),
            nodata=0,
            interleave="band",
            blockysize=9,
        ) as dataset:
            dataset.write(array)
        return bytes(memory.getbuffer())
