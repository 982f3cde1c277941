"""Networks with one decoder feature and one class map: all but the two-branch student."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal

from torch import Tensor, nn

from components.lib.nets.config import NetworkConfig
from components.lib.nets.encoders import OUTPUT_STRIDE, create_encoder, drop_unused_tail
from components.lib.nets.network import Maps, SegmentationNetwork, Supervised, crop_to


class SingleMapNetwork(SegmentationNetwork):
    """A network whose truth supervises the one map that it deploys.

    Args:
        config: Configuration.
        output_stride: Output stride of the encoder: 16 dilates its last stage, 32 leaves it strided.

    Attributes:
        encoder: Encoder of smp; ``out_channels`` are the channels of its features.
        contour_head: From the feature ``decoder`` to the contours, or None.
    """

    contour_head: nn.Module | None

    def __init__(self, config: NetworkConfig, *, output_stride: Literal[16, 32] = OUTPUT_STRIDE) -> None:
        super().__init__(config)
        self.encoder, weights = create_encoder(
            config.encoder,
            in_channels=config.in_channels,
            weights=config.encoder_weights,
            output_stride=output_stride,
        )
        self.config = config.model_copy(update={"encoder_weights": weights})
        self.dropped_parameters = drop_unused_tail(self.encoder)
        self.contour_head = None

    @abstractmethod
    def forward_features(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits and the features that a student imitates or a head reads.

        Args:
            x: (B, C, H, W) in uint8 units.

        Returns:
            Logits (B, classes, H, W), and features by name, (B, C, h, w); one is ``decoder`` (stride 4). They
            lie on the padded input.
        """

    def forward_maps(self, x: Tensor) -> Maps:
        """Return the class map and, where the network has that head, the contours."""
        logits, features = self.forward_features(x)
        return Maps(logits, self.contours_of(features, x))

    def contours_of(self, features: dict[str, Tensor], x: Tensor) -> Tensor | None:
        """Contour logits from what :meth:`forward_features` gave for ``x``; None without that head."""
        if self.contour_head is None:
            return None
        return crop_to(self.contour_head(features["decoder"]), x)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes, H, W) for ``x`` (B, C, H, W) in uint8 units."""
        return self.forward_features(x)[0]

    def supervised_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the only map."""
        return (self(x),)

    def supervised(self, x: Tensor) -> Supervised:
        """Return the only map, and the contours."""
        maps = self.forward_maps(x)
        return Supervised((maps.logits,), () if maps.contours is None else (maps.contours,))
