"""Parts of the networks that are built on an encoder and U-Net decoder of segmentation_models_pytorch.

They are controls of SGSLN: about its number of parameters, in the library's plain modules.
"""

from __future__ import annotations

from collections.abc import Sequence

from segmentation_models_pytorch.base import SegmentationHead
from segmentation_models_pytorch.base.initialization import initialize_decoder, initialize_head
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.contract.errors import ParameterError
from components.lib.change.nets.config import DEFAULT_ENCODER, ChangeConfig
from components.lib.change.nets.network import ChangeNetwork
from components.lib.nets.encoders import create_encoder
from components.lib.nets.stems import split_stem

DEPTH = 5
STAGED_ENCODERS = "mobilenet_v2, resnet18, resnet34, resnet50"
"""Shown to a user whose encoder cannot be run stage by stage."""


class SiameseNetwork(ChangeNetwork):
    """A network whose dates pass one encoder of the library, down to stride 32.

    Images of fewer bands than the other date's are given empty ones, where dates differ.

    Args:
        config: Its ``encoder`` and ``width`` are read; the encoder starts from random weights.
    """

    stride = 32

    def __init__(self, config: ChangeConfig) -> None:
        super().__init__(config)
        self.bands = max(len(date.bands) for date in config.dates)
        self.encoder, _ = create_encoder(
            config.encoder or DEFAULT_ENCODER, in_channels=self.bands, weights=None, output_stride=32
        )
        if not config.same_kind:
            self.separate(self.encoder)
            with self.as_date(0):  # a probe goes through the encoder
                split_stem(self.encoder, self.bands, self.date_set)

    def date_input(self, image: Tensor) -> Tensor:
        """Return a normalised image with the number of bands that the encoder reads."""
        missing = self.bands - image.shape[1]
        return F.pad(image, (0, 0, 0, 0, 0, missing)) if missing else image

    def decoder_of(self, encoder_channels: Sequence[int]) -> nn.Module:
        """Return smp's U-Net decoder for features of these channels; it ends with ``width // 2``."""
        widths = [self.config.width * 8 // 2**level for level in range(DEPTH)]
        decoder: nn.Module = UnetDecoder(encoder_channels, widths, n_blocks=DEPTH)
        initialize_decoder(decoder)
        return decoder


def change_head(channels: int) -> nn.Module:
    """Return the 3x3 convolution to one map, without activation."""
    head: nn.Module = SegmentationHead(channels, 1, kernel_size=3)
    initialize_head(head)
    return head


def stages_of(encoder: nn.Module, name: str) -> list[nn.Module]:
    """Return an encoder's parts that lead to strides 2, 4, 8, 16 and 32, each from the one before.

    Args:
        encoder: Of mobilenet_v2 or a residual network; its modules are shared, not copied.
        name: Its name, for the message.

    Raises:
        ParameterError: If it is of another family.
    """
    features, ends = getattr(encoder, "features", None), getattr(encoder, "_out_indexes", None)
    if isinstance(features, nn.Sequential) and ends is not None:
        starts = [0, *(end + 1 for end in ends)]
        return [features[start : end + 1] for start, end in zip(starts, ends, strict=False)]
    if hasattr(encoder, "conv1") and hasattr(encoder, "layer4"):
        resnet = dict(encoder.named_children())
        stem = nn.Sequential(resnet["conv1"], resnet["bn1"], resnet["relu"])
        first = nn.Sequential(resnet["maxpool"], resnet["layer1"])
        return [stem, first, resnet["layer2"], resnet["layer3"], resnet["layer4"]]
    raise ParameterError(
        f"methods.*.encoder: {name!r} cannot be run stage by stage, as an exchange between stages needs",
        next_step=f"choose one of {STAGED_ENCODERS}",
    )
