"""DeepLabV3+: the optical teacher, and the SAR-only control."""

from __future__ import annotations

from torch import Tensor

from components.lib.nets.config import NetworkConfig
from components.lib.nets.network import crop_to
from components.lib.nets.parts import create_contour_head, create_decoder, create_head
from components.lib.nets.singlemap import SingleMapNetwork


class DeepLab(SingleMapNetwork):
    """smp's DeepLabV3+ of output stride 16 with a softmax over background and building.

    Args:
        config: With ``kind`` "deeplabv3plus".
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.decoder = create_decoder(self.encoder.out_channels, config)
        self.head = create_head(config.decoder_channels, config.classes, kernel_size=1)
        self.contour_head = create_contour_head(config.decoder_channels, wanted=config.contours)

    def forward_features(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits and the features a student imitates.

        Args:
            x: (B, C, H, W) in uint8 units.

        Returns:
            Logits (B, classes, H, W), and ``f4``, ``f5`` (stride 16) and ``decoder`` (stride 4).
        """
        features = self.encoder(self.normalise(x))
        decoded = self.decoder(features)
        logits = crop_to(self.head(decoded), x)
        return logits, {"f4": features[4], "f5": features[5], "decoder": decoded}
