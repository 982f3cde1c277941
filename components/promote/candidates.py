"""What can be promoted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Candidate:
    """Where a registered model's challenger lies, and the stage that makes it."""

    folder: Path
    made_by: str


CANDIDATES: Mapping[str, Candidate] = MappingProxyType(
    {
        "stormsight-optical": Candidate(Path("models/optical/deeplabv3plus"), "optical"),
        "stormsight-sar": Candidate(Path("models/adapted"), "adapt"),
    }
)
"""By registered model. One SAR model carries the normalisation of every sensor it knows."""
