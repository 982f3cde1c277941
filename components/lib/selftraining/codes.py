"""Fused maps as 16-bit codes: a scratch file half the size of floats, and histograms that are exact on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEVELS = 2**16
"""Number of codes; on probabilities a step is 1.5e-5."""

Codes = npt.NDArray[np.uint16]
Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Codec:
    """Linear codes between two values; what lies outside is clipped.

    Attributes:
        low: Value of code 0.
        high: Value of code 65535.
    """

    low: float
    high: float

    def encode(self, values: Floats) -> Codes:
        """Nearest codes of ``values``, any shape."""
        share = (np.clip(values, self.low, self.high) - self.low) / (self.high - self.low)
        codes: Codes = np.rint(share * (LEVELS - 1)).astype(np.uint16)
        return codes

    def decode(self, codes: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
        """Values of ``codes``, float64, any shape."""
        step = (self.high - self.low) / (LEVELS - 1)
        return self.low + codes.astype(np.float64) * step


PROBABILITIES = Codec(0.0, 1.0)
LOGITS = Codec(-32.0, 32.0)
"""For fusion "as released"; a logit beyond 32 is certain in float32 anyway."""
