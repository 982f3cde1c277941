"""U-Net per date whose encoders exchange features without parameters, after Changer (Fang et al., TGRS 2023).

Half of the columns change places at stride 4, half of the channels at strides 8, 16 and 32. Both dates are
decoded with the same weights, and a head reads both results: exchange without SGSLN's guidance, which gives
each date its own shallow skips and fuses on every level. Changer's fusion by flow is left out (ours).
"""

from __future__ import annotations

import torch
from torch import Tensor

from components.lib.change.nets.config import DEFAULT_ENCODER, ChangeConfig
from components.lib.change.nets.exchange import exchange_channels, exchange_columns
from components.lib.change.nets.network import ChangeMaps
from components.lib.change.nets.siamese import SiameseNetwork, change_head, stages_of
from components.lib.change.training.method import ChangeMethod, UnetParameters

EXCHANGES = (None, exchange_columns, exchange_channels, exchange_channels, exchange_channels)
"""Exchange after the encoder's stages of stride 2, 4, 8, 16 and 32."""


class ExchangeUnet(SiameseNetwork):
    """Encoder with exchange, one decoder for both dates, one head.

    Args:
        config: Its ``encoder`` and ``width`` are read; without ``exchange`` (``none``) it is the ablation.
    """

    def __init__(self, config: ChangeConfig) -> None:
        super().__init__(config)
        self.decoder = self.separate(self.decoder_of(self.encoder.out_channels))
        self.head = change_head(config.width)
        stages_of(self.encoder, config.encoder or DEFAULT_ENCODER)  # refuse an encoder without stages now

    def maps(self, before: Tensor, after: Tensor) -> ChangeMaps:
        """Return the change map alone."""
        states = [self.date_input(image) for image in (before, after)]
        features: tuple[list[Tensor], list[Tensor]] = ([states[0]], [states[1]])
        stages = stages_of(self.encoder, self.config.encoder or DEFAULT_ENCODER)
        for stage, exchange in zip(stages, EXCHANGES, strict=True):
            for date in range(2):
                with self.as_date(date):
                    states[date] = stage(states[date])
            if exchange is not None and self.config.exchange != "none":
                states = list(exchange(states[0], states[1]))
            for kept, state in zip(features, states, strict=True):
                kept.append(state)
        return ChangeMaps(self.head(torch.cat([self._decode(*item) for item in enumerate(features)], dim=1)))

    def _decode(self, date: int, features: list[Tensor]) -> Tensor:
        with self.as_date(date):
            decoded: Tensor = self.decoder(features)
        return decoded


class ExchangeUnetMethod(ChangeMethod[UnetParameters]):
    """Control with exchange and without guidance."""

    name = "exchange_unet"
    description = "U-Nets that exchange features"
    parameters = UnetParameters
    network = ExchangeUnet


CHANGE = ExchangeUnetMethod()
