"""Two-branch SAR student of DisOptNet (Kang et al., TGRS 2022), with its feature fusion.

Written from the paper and the shapes of the released code (docs/methods/distillation.md).
"""

from __future__ import annotations

from copy import deepcopy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from components.lib.architectures.deeplab import DeepLab
from components.lib.nets.config import NetworkConfig
from components.lib.nets.encoders import create_encoder, deep_stages, drop_unused_tail
from components.lib.nets.network import Maps, SegmentationNetwork, Supervised, crop_to
from components.lib.nets.parts import create_contour_head, create_decoder, create_head


class SCSE(nn.Module):
    """Concurrent spatial and channel squeeze-and-excitation (Roy et al., MICCAI 2018): ``x * c + x * s``.

    As ``SCSEModule`` of segmentation_models_pytorch, which names its parameters otherwise: stored models and
    their hashes depend on the names.

    Args:
        channels: C of the (B, C, H, W) input and output.
        reduction: Ratio of C to the width of the channel gate's bottleneck: 256 to 16 as released.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        squeezed = channels // reduction
        self.channel_gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(),
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )
        self.spatial_gate = nn.Sequential(nn.Conv2d(channels, 1, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """Recalibrate ``x`` (B, C, H, W)."""
        recalibrated: Tensor = x * self.channel_gate(x) + x * self.spatial_gate(x)
        return recalibrated


class FeatureFusion(nn.Module):
    """scSE on each map, concatenation, 1x1 conv-BN-ReLU back to the width, scSE.

    Args:
        channels: C of both inputs and of the output, all (B, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.recalibrate_s = SCSE(channels)
        self.recalibrate_r = SCSE(channels)
        self.merge = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
        )
        self.recalibrate = SCSE(channels)

    def forward(self, s: Tensor, r: Tensor) -> Tensor:
        """Fuse the decoded maps of branch S and branch R."""
        both = torch.cat([self.recalibrate_s(s), self.recalibrate_r(r)], dim=1)
        fused: Tensor = self.recalibrate(self.merge(both))
        return fused


class Branches(NamedTuple):
    """Maps and features that the distillation losses read.

    Attributes:
        z_s: Logits of branch S, which solves the task, (B, classes, H, W).
        z_r: Logits of branch R, which imitates the optical teacher.
        z_f: Logits of the fusion.
        features: Branch R's ``f4``, ``f5`` (stride 16) and ``decoder`` (stride 4).
        contours_s: Logits of footprint, edge and contact beside ``z_s``, (B, 3, H, W); None without heads.
        contours_f: The same beside ``z_f``, from the fused feature.
    """

    z_s: Tensor
    z_r: Tensor
    z_f: Tensor
    features: dict[str, Tensor]
    contours_s: Tensor | None
    contours_f: Tensor | None

    @property
    def contours(self) -> tuple[Tensor, ...]:
        """Contours of branch S and of the fusion, as the labels supervise them."""
        return tuple(drawn for drawn in (self.contours_s, self.contours_f) if drawn is not None)


class TwoBranchNetwork(SegmentationNetwork):
    """Shared shallow SAR encoder, two deep branches, two decoders, fusion.

    Branch R's stages 4 and 5 come from a second encoder whose stem and first stages are dropped; it starts
    from the SAR encoder's f3. Both decoders take the skip f2 from the SAR encoder. No weight of the teacher
    is in here. Contour heads (ours) are two: a deployed map and its contours come from one feature.

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
        self.decoder_s = create_decoder(channels, config)
        self.decoder_r = create_decoder(channels, config)
        self.head_s = create_head(width, config.classes, kernel_size=3)
        self.head_r = create_head(width, config.classes, kernel_size=3)
        self.head_f = create_head(width, config.classes, kernel_size=3)
        self.fusion = FeatureFusion(width)
        self.contour_head_s = create_contour_head(width, wanted=config.contours)
        self.contour_head_f = create_contour_head(width, wanted=config.contours)

    def forward_branches(self, x: Tensor) -> Branches:
        """Return all three maps and branch R's features for ``x`` (B, C, H, W) in uint8 units."""
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
            contours_s=_contours(self.contour_head_s, decoded_s, x),
            contours_f=_contours(self.contour_head_f, fused, x),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, classes, H, W) of the deployed map; branch S alone costs half of the fusion."""
        return self.forward_maps(x).logits

    def forward_maps(self, x: Tensor) -> Maps:
        """Return the deployed map, and the contours of the head on its feature."""
        if self.config.output == "branch_s":
            decoded = self.decoder_s(self.encoder(self.normalise(x)))
            return Maps(crop_to(self.head_s(decoded), x), _contours(self.contour_head_s, decoded, x))
        branches = self.forward_branches(x)
        return Maps(branches.z_f, branches.contours_f)

    def supervised_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of branch S and of the fusion: branch R never sees the labels directly."""
        return self.supervised(x).logits

    def supervised(self, x: Tensor) -> Supervised:
        """Return the maps and contours of branch S and of the fusion."""
        branches = self.forward_branches(x)
        return Supervised((branches.z_s, branches.z_f), branches.contours)

    def copy_weights_of(self, teacher: DeepLab) -> None:
        """Start both branches and both decoders from the weights and statistics of ``teacher``.

        The class heads are 3x3 where the teacher's is 1x1: the same map lies in their centre. The fusion
        keeps its own weights: the teacher has none.

        Args:
            teacher: Network of the same encoder, decoder width and contour head.
        """
        copy = deepcopy(teacher.encoder)
        self.encoder.load_state_dict(copy.state_dict())
        deep = deep_stages(copy, teacher.config.encoder, in_channels=teacher.config.in_channels)
        pairs = [(self.stage4_r, deep[0]), (self.stage5_r, deep[1])]
        pairs += [(decoder, teacher.decoder) for decoder in (self.decoder_s, self.decoder_r)]
        if teacher.contour_head is not None:
            heads = (self.contour_head_s, self.contour_head_f)
            pairs += [(head, teacher.contour_head) for head in heads if head is not None]
        for ours, theirs in pairs:
            ours.load_state_dict(theirs.state_dict())
        for head in (self.head_s, self.head_r, self.head_f):
            _centre(head, teacher.head)


def _contours(head: nn.Module | None, decoded: Tensor, x: Tensor) -> Tensor | None:
    return None if head is None else crop_to(head(decoded), x)


@torch.no_grad()
def _centre(head: nn.Module, narrow: nn.Module) -> None:
    """Make the 3x3 ``head`` compute what the 1x1 ``narrow`` computes."""
    wide, point = (next(m for m in h.modules() if isinstance(m, nn.Conv2d)) for h in (head, narrow))
    assert wide.bias is not None
    assert point.bias is not None
    wide.weight.zero_()
    wide.weight[:, :, 1, 1] = point.weight[:, :, 0, 0]
    wide.bias.copy_(point.bias)
