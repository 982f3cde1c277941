"""Wait for acquisitions in the landing place, and tell which ones the ledger has registered since.

The sensor compares states, it waits for no message: what landed while nothing was running is found all the
same.
"""

from __future__ import annotations

from stormsight_dags.landing.announce import AnnounceOperator
from stormsight_dags.landing.sensor import LandingSensor, LandingTrigger

__all__ = ["AnnounceOperator", "LandingSensor", "LandingTrigger"]
