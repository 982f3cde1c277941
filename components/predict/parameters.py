"""The section `map` of ``params.yaml``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from components.lib.config.loader import Parameters

SMALLEST_WINDOW_PX = 32


class MapParameters(Parameters):
    """Division, network and outlines of maps. The module imports no torch: reading parameters must not wait.

    Attributes:
        window_px: Side of a prediction window, pixels; a smaller scene is one window of about its size.
        overlap_px: Pixels that neighbouring windows share and are blended over; less than half a window.
        block_px: Side of a block, pixels: the unit of parallel work and of resuming.
        batch: Windows that are predicted at a time: by one forward pass on a GPU, side by side on CPU.
        device: ``auto`` (a GPU if there is one), ``cpu`` or ``cuda``.
        precision: ``float32`` or ``bfloat16`` of the network's layers.
        threads: CPU threads of PyTorch; beyond ``batch`` the last bits depend on them. None for one a core.
        workers: Processes that map blocks side by side on one machine.
        outlines: ``raw`` pixel edges, ``simplified`` by ``scoring.simplify_px``, or ``regular`` right angles.
        gpkg: True to write a GeoPackage as well.
    """

    window_px: int = Field(default=512, ge=SMALLEST_WINDOW_PX, le=8192)
    overlap_px: int = Field(default=64, ge=0)
    block_px: int = Field(default=2048, ge=64, le=16384)
    batch: int = Field(default=4, ge=1, le=1024)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    threads: int | None = Field(default=None, ge=1)
    workers: int = Field(default=1, ge=1, le=64)
    outlines: Literal["raw", "simplified", "regular"] = "simplified"
    gpkg: bool = False

    @model_validator(mode="after")
    def _windows_meet_their_neighbours_alone(self) -> MapParameters:
        if 2 * self.overlap_px >= self.window_px:
            raise ValueError(
                f"overlap_px ({self.overlap_px}) must be less than half of window_px ({self.window_px})"
            )
        return self
