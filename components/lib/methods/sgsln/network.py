"""SGSLN's network, in three sizes: 6,036,375, 1,513,795 and 381,743 parameters at widths 32, 16 and 8.

Two encoder-decoders of shared weights, one per date, exchange half of the channels at stride 8: deep layers
and the skip at that stride see both dates, shallow skips their own (semantic guidance, spatial localisation).
What they decode is fused on four levels, and a third decoder draws the change map.

Each date passes the shared layers by itself, so that a training batch is normalised with its own date's
moments. Our part: one first convolution and statistics per date where modalities differ, and the ablations of
the exchange.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.change.nets.config import ChangeConfig
from components.lib.change.nets.exchange import exchange_channels
from components.lib.change.nets.network import DATES, ChangeMaps, ChangeNetwork
from components.lib.methods.sgsln.blocks import Cgsu, Decoder, Dpfa, Encoder
from components.lib.nets.parts import conv_norm_relu

LEVEL_OF_EXCHANGE = {"none": None, "early": 0, "published": 2}
"""Level of ``encoders`` (en2 to en5) whose output is exchanged: strides 2 and 8."""

HEAD_WIDTH = 8
"""Channels that the change map is drawn from, in every size of the network."""


class DatePath(nn.Module):
    """Encoder and decoder of one date, but for its first convolution; both dates use the same.

    Args:
        width: Channels of the first stage.
        dropout: Rate of the 14 dropouts of the encoder.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.start = nn.Sequential(Cgsu(width, dropout), Cgsu(width, dropout))
        self.encoders = nn.ModuleList(Encoder(width * 2**level, dropout) for level in range(4))
        self.decoders = nn.ModuleList(Decoder(width * 2**level) for level in (4, 3, 2))

    def decode(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return the maps at strides 16, 8, 4 and 2 from the encoder's at 2, 4, 8 and 16."""
        *skips, deepest = features
        return decode(self.decoders, deepest, skips[::-1])


class Sgsln(ChangeNetwork):
    """SGSLN.

    Args:
        config: Its ``width``, ``dropout``, ``exchange`` and ``exchange_every`` are read.
    """

    stride = 16

    def __init__(self, config: ChangeConfig) -> None:
        super().__init__(config)
        width = config.width
        stems = config.dates[:1] if config.same_kind else config.dates
        self.stems = nn.ModuleList(conv_norm_relu(len(date.bands), width, 3) for date in stems)
        self.path = self.separate(DatePath(width, config.dropout))
        self.auxiliary = nn.ModuleList(nn.Conv2d(2 * width, 1, 3, padding=1) for _ in DATES)
        self.fusions = nn.ModuleList(Dpfa(width * 2**level) for level in (4, 3, 2, 1))
        self.decoders = nn.ModuleList(Decoder(width * 2**level) for level in (4, 3, 2))
        self.head = ChangeHead(width)

    def maps(self, before: Tensor, after: Tensor) -> ChangeMaps:
        """Return the change map, and one auxiliary map per date at stride 2."""
        decoded = [self._decode(date, features) for date, features in enumerate(self.encode(before, after))]
        fused = [fusion(*maps) for fusion, maps in zip(self.fusions, zip(*decoded, strict=True), strict=True)]
        change = self.head(decode(self.decoders, fused[0], fused[1:])[-1])
        auxiliary = tuple(head(maps[-1]) for head, maps in zip(self.auxiliary, decoded, strict=True))
        return ChangeMaps(change, auxiliary)

    def encode(self, before: Tensor, after: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return both dates' features at strides 2, 4, 8 and 16, exchanged where the configuration says."""
        states = [self._start(date, image) for date, image in enumerate((before, after))]
        features: tuple[list[Tensor], list[Tensor]] = ([], [])
        for level, encoder in enumerate(self.path.encoders):
            for date in range(2):
                with self.as_date(date):
                    states[date] = encoder(states[date])
            if level == LEVEL_OF_EXCHANGE[self.config.exchange]:
                states = list(exchange_channels(states[0], states[1], self.config.exchange_every))
            for kept, state in zip(features, states, strict=True):
                kept.append(state)
        return features

    def _start(self, date: int, image: Tensor) -> Tensor:
        stem = self.stems[date if len(self.stems) > 1 else 0]
        with self.as_date(date):
            started: Tensor = self.path.start(stem(image))
        return started

    def _decode(self, date: int, features: Sequence[Tensor]) -> list[Tensor]:
        with self.as_date(date):
            return self.path.decode(features)


class ChangeHead(nn.Module):
    """Two convolutions, bilinear x2 with aligned corners, and a 7x7 convolution to one map.

    Args:
        width: Channels of the network's first stage; the head reads twice as many.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduce = nn.Sequential(
            nn.Conv2d(2 * width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, HEAD_WIDTH, 3, padding=1),
            nn.BatchNorm2d(HEAD_WIDTH),
            nn.ReLU(),
        )
        self.draw = nn.Conv2d(HEAD_WIDTH, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 1, 2 H, 2 W)."""
        wide = F.interpolate(self.reduce(x), scale_factor=2, mode="bilinear", align_corners=True)
        drawn: Tensor = self.draw(wide)
        return drawn


def decode(decoders: nn.ModuleList, deepest: Tensor, skips: Sequence[Tensor]) -> list[Tensor]:
    """Return ``deepest`` and what each decoder makes of the map before and its skip, coarse to fine."""
    maps = [deepest]
    for decoder, skip in zip(decoders, skips, strict=True):
        maps.append(decoder(maps[-1], skip))
    return maps
