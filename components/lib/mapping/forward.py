"""Building probabilities of blocks: windows through the network, blended, several looks fused.

Reading, the network, blending, and what the caller does with a block run side by side, each in a thread of
its own. Every batch has the same shape, and a window's prediction does not depend on its neighbours in the
batch: a block's levels are the same bytes whichever blocks are asked for, in whichever order.

Farther from all windows' borders than the network sees, a level equals that of one pass over the whole scene
up to 1, by rounding. The networks with an ASPP see more than a window: they average over all of it, and their
dilated convolutions reach 576 pixels. What they predict depends on the window's content by design, and on
its size; a map has the scores of an evaluation with windows of the same size only approximately.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing

import numpy as np
import torch

from components.contract.errors import ParameterError
from components.lib.inference.tiles import bands_of
from components.lib.mapping.ahead import ahead
from components.lib.mapping.allocator import give_back_memory, share_kept_memory
from components.lib.mapping.blending import Blend, FineLevels
from components.lib.mapping.blocks import Blocks, Windows
from components.lib.mapping.kept import KeptWindows
from components.lib.mapping.levels import Levels
from components.lib.mapping.looks import LookFusion
from components.lib.mapping.predicting import Predicted, WindowSettings, predictions
from components.lib.mapping.scene import Scene
from components.lib.mapping.windows import Part, WindowReader, turned
from components.lib.nets.network import SegmentationNetwork

_MIB = 2**20


def block_levels(
    net: SegmentationNetwork,
    looks: Sequence[Scene],
    blocks: Blocks,
    number: int,
    settings: WindowSettings,
) -> Levels:
    """Return the levels (bands, h, w) of one block; as :func:`map_blocks`."""
    with closing(map_blocks(net, looks, blocks, [number], settings)) as mapped:
        return next(mapped)[1]


def map_blocks(
    net: SegmentationNetwork,
    looks: Sequence[Scene],
    blocks: Blocks,
    numbers: Iterable[int],
    settings: WindowSettings,
) -> Generator[tuple[int, Levels], None, None]:
    """Yield the numbers and levels of blocks, in the order asked for.

    A window that two of the blocks share is predicted once where there is room to keep it.

    Args:
        net: Any network; moved to the device, and its convolutions to channels-last.
        looks: Looks at the same ground, all on one grid.
        blocks: Division of that grid.
        numbers: Blocks that are wanted, in this order; fastest row by row.
        settings: Prediction of windows.

    Yields:
        Number of the block, and its levels (bands, h, w), bands as in :func:`bands_of`: 0 where no look has
        data.

    Raises:
        ParameterError: At once, before a pixel is read, if the network does not know a look's sensor, or
            reads another kind of images.
        ValueError: Likewise, if the looks have different grids, or the blocks are not those of the grid.
        BadDataError: If a scene is damaged.
        ResourceError: If the disk is full.
    """
    _check(net, looks, blocks, settings.statistics_of)
    if settings.on_cpu:
        share_kept_memory()
    net = net.to(settings.device).to(memory_format=torch.channels_last).eval()
    return _map(net, looks, blocks, list(numbers), settings)


def _check(
    net: SegmentationNetwork, looks: Sequence[Scene], blocks: Blocks, statistics_of: str | None
) -> None:
    for look in looks:
        net.require_sensor(statistics_of or look.facts.sensor)
        if look.facts.modality != net.config.modality:
            raise ParameterError(
                f"scene {look.facts.name} is {look.facts.modality}, but the network reads "
                f"{net.config.modality} images",
                next_step=f"name a model of {look.facts.modality} images, or another scene",
            )
        if look.grid != looks[0].grid or (look.grid.height, look.grid.width) != blocks.shape:
            raise ValueError("looks and blocks must lie on one grid")
    if not looks:
        raise ValueError("there is no look to map")


def _map(
    net: SegmentationNetwork,
    looks: Sequence[Scene],
    blocks: Blocks,
    numbers: Sequence[int],
    settings: WindowSettings,
) -> Generator[tuple[int, Levels], None, None]:
    windows = Windows(blocks.shape, settings.window_px, settings.overlap_px)
    shape = (len(bands_of(net)), settings.window_px, settings.window_px)
    each = int(np.prod(shape)) * np.dtype(np.uint16).itemsize
    in_memory = settings.kept_in_memory_mib * _MIB // each
    most = in_memory + settings.kept_on_disk_mib * _MIB // each
    reader = WindowReader(looks, blocks, numbers, windows, most)
    with KeptWindows(shape, in_memory) as kept:
        batches = ahead(reader.batches(settings.rows), depth=1, name="map-read")
        predicted = ahead(predictions(net, batches, settings), depth=1, name="map-predict")
        mapped = _blend(predicted, looks, blocks, windows, kept)
        with closing(ahead(mapped, depth=1, name="map-blend")) as finished:
            yield from finished
    if settings.on_cpu:
        # What follows, vector tiles above all, needs memory as well.
        give_back_memory()


def _blend(
    predicted: Generator[Predicted, None, None],
    looks: Sequence[Scene],
    blocks: Blocks,
    windows: Windows,
    kept: KeptWindows,
) -> Generator[tuple[int, Levels], None, None]:
    blend: Blend | None = None
    fusion: LookFusion | None = None
    with closing(predicted):
        for part, fine in _blended_parts(predicted, looks, kept):
            if blend is None:
                several = len(looks) > 1
                blend = Blend(kept.shape[0], blocks.box(part.block), windows, with_fine=several)
            if fine is not None:
                blend.add(part.window, fine)
            if part.ends_look and len(looks) > 1:
                fusion = fusion or LookFusion((kept.shape[0], *blend.box.shape))
                fusion.add(blend)
            if part.ends_block:
                yield part.block, blend.levels() if fusion is None else fusion.levels()
                fusion = None
            if part.ends_look:
                blend = None


def _blended_parts(
    predicted: Iterator[Predicted], looks: Sequence[Scene], kept: KeptWindows
) -> Iterator[tuple[Part, FineLevels | None]]:
    """Yield every part with its prediction, north up, 0 where it has no data; None for windows without."""
    for parts, batch in predicted:
        rows = iter(batch)
        for part in parts:
            key = (part.look, part.window)
            if part.source == "empty":
                yield part, None
            elif part.source == "kept":
                yield part, kept.get(key)
                if not part.needed:
                    kept.drop(key)
            else:
                fine = turned(next(rows), looks[part.look].facts.orientation)
                if part.valid is not None:
                    fine *= part.valid
                if part.needed:
                    kept.put(key, fine)
                yield part, fine
