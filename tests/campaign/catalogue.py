"""All readers of the campaign, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.campaign.readers.archives import Archives, Catalogue
from tests.campaign.readers.base import Reader
from tests.campaign.readers.bundles import Bundles
from tests.campaign.readers.killed_models import KilledPromotion, KilledTracking
from tests.campaign.readers.killed_stages import (
    KilledDownload,
    KilledLand,
    KilledPrepare,
    KilledRegister,
    KilledTraining,
    KilledValidate,
    KilledWithdraw,
)
from tests.campaign.readers.labels import LabelFiles
from tests.campaign.readers.landings import Landings
from tests.campaign.readers.ledgers import Ledgers
from tests.campaign.readers.params import Params
from tests.campaign.readers.rasters import Rasters
from tests.campaign.readers.score import Score
from tests.campaign.readers.stores import Stores
from tests.campaign.readers.surroundings import Disk, Environment

KINDS: tuple[type[Reader], ...] = (
    Score,
    Params,
    LabelFiles,
    Rasters,
    Archives,
    Catalogue,
    Stores,
    Bundles,
    Ledgers,
    Landings,
    Environment,
    Disk,
    KilledDownload,
    KilledValidate,
    KilledPrepare,
    KilledTraining,
    KilledLand,
    KilledRegister,
    KilledWithdraw,
    KilledTracking,
    KilledPromotion,
)

READERS: dict[str, Callable[[Path], Reader]] = {kind.name: kind for kind in KINDS}
