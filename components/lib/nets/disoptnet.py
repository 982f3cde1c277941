"""The two-branch SAR student of DisOptNet (Kang et al., TGRS 2022), written from reference 1.3."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from components.lib.nets.config import NetworkConfig
from components.lib.nets.encoders import create_encoder, deep_stages, drop_unused_tail
from components.lib.nets.ffm import FeatureFusion
from components.lib.nets.network import Maps, SegmentationNetwork, Supervised, crop_to
from components.lib.nets.parts import create_contour_head, create_decoder, create_head


class Branches(NamedTuple):
    """Everything the distillation losses read.

    Attributes:
        z_s: Logits of branch S, which solves the task, (B, classes, H, W).
        z_r: Logits of branch R, which imitates the optical teacher.
        z_f: Logits of the fusion.
        features: Branch R's ``f4``, ``f5`` (stride 16) and ``decoder`` (stride 4).
        contours: Logits of footprint, edge and contact from branch S, which every deployment has, or None.
    """

    z_s: Tensor
    z_r: Tensor
    z_f: Tensor
    features: dict[str, Tensor]
    contours: Tensor | None


class DisOptNetStudent(SegmentationNetwork):
    """Shared shallow SAR encoder, two deep branches, two decoders, fusion (reference 1.3).

    Branch R's stages 4 and 5 come from a second encoder whose stem and first stages are dropped; it starts
    from the SAR encoder's f3. Both decoders take the skip f2 from the SAR encoder. No weight of the teacher
    is in here.

    Args:
        config: With ``kind`` "disoptnet". Its ``output`` chooses the map :meth:`forward` returns.

    Raises:
        ParameterError: If the encoder cannot be forked after stage 3.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        encoder, weights = create_encoder(
            config.encoder, in_channels=config.in_channels, weights=config.encoder_weights
        )
        self.encoder = encoder
        self.config = config.model_copy(update={"encoder_weights": weights})
        # The same input bands for both, so that the probe can run it; only its deep stages stay.
        second, _ = create_encoder(config.encoder, in_channels=config.in_channels, weights=weights)
        self.stage4_r, self.stage5_r = deep_stages(second, config.encoder, in_channels=config.in_channels)
        self.dropped_parameters = drop_unused_tail(encoder)
        channels, width = encoder.out_channels, config.decoder_channels
        self.decoder_s = create_decoder(channels, width)
        self.decoder_r = create_decoder(channels, width)
        self.head_s = create_head(width, config.classes, kernel_size=3)
        self.head_r = create_head(width, config.classes, kernel_size=3)
        self.head_f = create_head(width, config.classes, kernel_size=3)
        self.fusion = FeatureFusion(width)
        self.contour_head = create_contour_head(width, wanted=config.contours)

    def forward_branches(self, x: Tensor) -> Branches:
        """All three maps and branch R's features for ``x`` (B, C, H, W) in uint8 units."""
        shared = self.encoder(self.normalise(x))
        decoded_s = self.decoder_s(shared)
        f4 = self.stage4_r(shared[3])
        f5 = self.stage5_r(f4)
        decoded_r = self.decoder_r([*shared[:4], f4, f5])
        fused = self.fusion(decoded_s, decoded_r)
        return Branches(
            z_s=crop_to(self.head_s(decoded_s), x),
            z_r=crop_to(self.head_r(decoded_r), x),
            z_f=crop_to(self.head_f(fused), x),
            features={"f4": f4, "f5": f5, "decoder": decoded_r},
            contours=self._contours(decoded_s, x),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes, H, W) of the deployed map; branch S alone costs half of the fusion."""
        return self.forward_maps(x).logits

    def forward_maps(self, x: Tensor) -> Maps:
        """The deployed map, and the contours from its feature."""
        if self.config.output == "branch_s":
            decoded = self.decoder_s(self.encoder(self.normalise(x)))
            return Maps(crop_to(self.head_s(decoded), x), self._contours(decoded, x))
        branches = self.forward_branches(x)
        return Maps(branches.z_f, branches.contours)

    def supervised_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """Branch S and the fusion: branch R never sees the ground truth directly (reference 1.4)."""
        return self.supervised(x).logits

    def supervised(self, x: Tensor) -> Supervised:
        """Branch S, the fusion, and the contours."""
        branches = self.forward_branches(x)
        return Supervised((branches.z_s, branches.z_f), branches.contours)

    def _contours(self, decoded: Tensor, x: Tensor) -> Tensor | None:
        return None if self.contour_head is None else crop_to(self.contour_head(decoded), x)
