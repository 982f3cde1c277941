"""LinkNet (Chaurasia and Culurciello, VCIP 2017) with the decoder of smp: a control of PP-LinkNet."""

from __future__ import annotations

from segmentation_models_pytorch.base.initialization import initialize_decoder
from segmentation_models_pytorch.decoders.linknet.decoder import LinknetDecoder
from torch import Tensor, nn

from components.lib.engine.focal import FocalTask
from components.lib.methods.base import SupervisedMethod, Teacher
from components.lib.nets.config import NetworkConfig
from components.lib.nets.linknet import HEAD_WIDTH, SigmoidNetwork, class_logits, unpadded
from components.lib.nets.parts import create_contour_head


class LinkNet(SigmoidNetwork):
    """smp's LinkNet at output stride 32.

    Args:
        config: With ``kind`` "linknet"; its ``decoder_channels`` and ASPP are not read.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        channels = self.encoder.out_channels
        self.decoder = LinknetDecoder(channels, prefinal_channels=HEAD_WIDTH, n_blocks=5)
        initialize_decoder(self.decoder)
        self.head = nn.Conv2d(HEAD_WIDTH, 1, 1)
        self.contour_head = create_contour_head(channels[-4], wanted=config.contours)

    def forward_features(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits, and the feature ``decoder`` (stride 4), for ``x`` (B, C, H, W) in uint8 units."""
        *skips, decoded = self.encoder(self.normalise(x))[1:]
        features: dict[str, Tensor] = {}
        for number, block in enumerate(self.decoder.blocks, start=1):
            decoded = block(decoded, skips[-number] if number <= len(skips) else None)
            if number == len(skips) - 1:
                features["decoder"] = decoded
        return class_logits(unpadded(self.head(decoded), x)), features


class LinkNetMethod(SupervisedMethod):
    """LinkNet on SAR images with the labels alone."""

    name = "linknet"
    description = "SAR only, LinkNet, a control of PP-LinkNet"
    kind = "linknet"
    network = LinkNet
    supervision = FocalTask


METHOD = LinkNetMethod()
TEACHER = Teacher(kind="linknet", description="optical images, LinkNet", supervision=FocalTask)
