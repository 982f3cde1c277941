"""One map: its looks and its model, from blocks in a work store to the finished folder."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from components.contract.errors import BadDataError, ParameterError
from components.contract.hashing import sha256_json
from components.lib.config.scoring import ScoringSettings
from components.lib.geo.grid import Grid
from components.lib.inference.views import views_of
from components.lib.mapping.blockfile import FinishedBlock, pack, unpack
from components.lib.mapping.blocks import Blocks
from components.lib.mapping.scene import Scene, SceneFacts
from components.lib.objects.protocol import ObjectStore
from components.predict.models import ServedModel
from components.predict.parameters import MapParameters

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MapSummary:
    """Numbers of a finished map.

    Attributes:
        id: Id of the map.
        km2: Ground with data, square kilometres.
        buildings: Number of buildings.
    """

    id: str
    km2: float
    buildings: int
