"""Siamese U-Net whose skips are the absolute differences of both dates' features.

FC-Siam-diff (Daudt et al., ICIP 2018) with an encoder and decoder of segmentation_models_pytorch. Ours: the
deepest features are compared as well, so that the result does not depend on the order of the dates.
"""

from __future__ import annotations

from torch import Tensor

from components.lib.change.nets.config import ChangeConfig
from components.lib.change.nets.network import ChangeMaps
from components.lib.change.nets.siamese import SiameseNetwork, change_head
from components.lib.change.training.method import ChangeMethod, UnetParameters


class SiameseUnet(SiameseNetwork):
    """FC-Siam-diff.

    Args:
        config: Its ``encoder`` and ``width`` are read.
    """

    def __init__(self, config: ChangeConfig) -> None:
        super().__init__(config)
        self.decoder = self.decoder_of(self.encoder.out_channels)
        self.head = change_head(config.width // 2)

    def maps(self, before: Tensor, after: Tensor) -> ChangeMaps:
        """Return the change map alone."""
        features = []
        for date, image in enumerate((before, after)):
            with self.as_date(date):
                features.append(self.encoder(self.date_input(image)))
        compared = [(first - second).abs() for first, second in zip(*features, strict=True)]
        return ChangeMaps(self.head(self.decoder(compared)))


class SiameseUnetMethod(ChangeMethod[UnetParameters]):
    """Plain control: no exchange, no guidance."""

    name = "siamese_unet"
    description = "Siamese U-Net on differences of features"
    parameters = UnetParameters
    network = SiameseUnet


CHANGE = SiameseUnetMethod()
