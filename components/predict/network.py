"""The network's part of a map: its device, its settings, and the levels of blocks. Imports torch."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import torch

from components.lib.inference.device import choose_device
from components.lib.inference.views import views_of
from components.lib.mapping.blocks import Blocks
from components.lib.mapping.forward import map_blocks
from components.lib.mapping.levels import Levels
from components.lib.mapping.predicting import WindowSettings
from components.lib.mapping.scene import Scene
from components.lib.nets.network import SegmentationNetwork
from components.predict.rules import MapRules


def levels_of(
    net: SegmentationNetwork,
    looks: Sequence[Scene],
    blocks: Blocks,
    numbers: Sequence[int],
    rules: MapRules,
) -> Generator[tuple[int, Levels], None, None]:
    """Return the numbers and levels of blocks, in the order asked for; see :func:`map_blocks`.

    Raises:
        ResourceError: If a GPU is asked for and there is none.
    """
    parameters, scoring = rules.parameters, rules.scoring
    if parameters.threads is not None:
        torch.set_num_threads(parameters.threads)
    windows = rules.windows(blocks.shape)
    settings = WindowSettings(
        window_px=windows.side,
        overlap_px=windows.overlap,
        batch=parameters.batch,
        views=views_of(scoring.scales, flip=scoring.flip, turn=scoring.turns(net.config.modality)),
        device=choose_device(parameters.device, "map.device"),
        precision=parameters.precision,
        statistics_of=rules.statistics_of,
    )
    return map_blocks(net, looks, blocks, numbers, settings)
