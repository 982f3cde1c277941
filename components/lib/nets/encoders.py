"""Encoders of segmentation_models_pytorch: built with or without a model hub, trimmed, and forked.

A *fork* takes an encoder's stages 4 and 5 (strides 16 and 32, the latter dilated to 16) as modules of their
own, so that a second branch can start from the features of another encoder's stage 3.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, Final, Literal

import torch
from huggingface_hub import constants, get_session
from segmentation_models_pytorch.encoders import encoders, get_encoder
from torch import Tensor, nn

from components.contract.errors import ParameterError

LOG = logging.getLogger(__name__)

OUTPUT_STRIDE: Final = 16
"""Stride of the deepest features: stage 5 is dilated instead of strided (as in DisOptNet)."""

HUB_TIMEOUT_S = 10.0
"""Longest wait for the model hub's first answer, seconds."""

_TAILS = (("_conv_head", "_bn1"), ("conv_head", "bn2"))
"""Attributes of the tail in smp's two EfficientNet families."""

_REFUSALS = re.compile(r"Unknown model|dilated mode|output_stride|downsampling pattern")

FORKING_FAMILIES = "efficientnet-*, resnet*, mobilenet_v2, mobileone_*, se_resnet*, timm-mobilenetv3_*"
"""Shown to a user whose encoder cannot be forked; tests hold one of each."""


def create_encoder(
    name: str, *, in_channels: int, weights: str | None, output_stride: Literal[16, 32] = OUTPUT_STRIDE
) -> tuple[Any, str | None]:
    """Build an encoder for ``in_channels`` bands; at output stride 16 stage 5 is dilated, at 32 strided.

    Pretrained stems take RGB kernels in a cycle, scaled by 3 / ``in_channels`` (as smp does). When the
    pretrained weights cannot be fetched the encoder starts from random ones and a warning says so. Random
    numbers come from torch's global generator.

    Returns:
        The encoder, and the pretraining that it really has (``weights`` or None).

    Raises:
        ParameterError: If smp knows no such encoder or no such weights for it.
    """
    if weights is None:
        return _create(name, in_channels, None, output_stride), None
    try:
        with _no_waiting_for_an_absent_hub():
            return _create(name, in_channels, weights, output_stride), weights
    except ParameterError:
        raise
    except Exception as error:
        if not _is_unreachable(error):
            raise
        LOG.warning(
            "encoder %s: %r weights cannot be fetched (%s); it starts from random weights instead",
            name,
            weights,
            str(error).splitlines()[0] if str(error) else type(error).__name__,
        )
        return _create(name, in_channels, None, output_stride), None


def drop_unused_tail(encoder: nn.Module) -> int:
    """Delete an EfficientNet encoder's classifier convolution and its normalisation, which nothing reads.

    Parameters without a gradient break distributed training (docs/methods/distillation.md).

    Returns:
        Number of parameters deleted, 0 for encoders without such a tail.
    """
    dropped = 0
    for tail in _TAILS:
        modules = [m for m in (getattr(encoder, name, None) for name in tail) if isinstance(m, nn.Module)]
        if len(modules) < len(tail):
            continue
        for name, module in zip(tail, modules, strict=True):
            dropped += sum(parameter.numel() for parameter in module.parameters())
            delattr(encoder, name)
    return dropped


def deep_stages(encoder: Any, name: str, *, in_channels: int) -> tuple[nn.Module, nn.Module]:  # noqa: ANN401
    """Stages 4 and 5 of ``encoder`` as modules mapping f3 to f4 and f4 to f5; they share its parameters.

    Args:
        encoder: Result of :func:`create_encoder`.
        name: Its name, for the message.
        in_channels: Bands it takes.

    Raises:
        ParameterError: If the encoder's deep stages are not plain chains that reproduce its features.
    """
    stages = (
        _efficientnet_stages(encoder) or _timm_blocks(encoder) or _timm_chain(encoder) or _smp_stages(encoder)
    )
    if stages is None or not _reproduces(encoder, stages, in_channels):
        raise ParameterError(
            f"training.encoder: {name!r} cannot be forked after stage 3, as disoptnet needs",
            next_step=f"choose one of {FORKING_FAMILIES}, or leave disoptnet out of distill.methods",
        )
    return stages


class DropConnectStage(nn.Module):
    """Consecutive EfficientNet blocks, dropped at the rate of their place in the whole encoder.

    Args:
        blocks: The stage's blocks, in order.
        first: Index of the first one in the encoder: 8 for stage 4 of B3, 10 for B4.
        total: Number of blocks of the encoder.
        rate: Drop-connect rate that the last block would tend to, 0.2 in the reference.
    """

    def __init__(self, blocks: list[nn.Module], *, first: int, total: int, rate: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.rates = [rate * (first + offset) / total for offset in range(len(blocks))]

    def forward(self, x: Tensor) -> Tensor:
        """Run the blocks on ``x`` (B, C, H, W)."""
        for block, rate in zip(self.blocks, self.rates, strict=True):
            x = block(x, rate)
        return x


def _create(name: str, in_channels: int, weights: str | None, output_stride: int) -> Any:  # noqa: ANN401
    with warnings.catch_warnings():
        # smp calls its own `timm-` and `tu-` names deprecated or oddly weighted; users need not hear it.
        warnings.simplefilter("ignore")
        try:
            encoder = get_encoder(
                name, in_channels=in_channels, depth=5, weights=weights, output_stride=output_stride
            )
        except KeyError as error:
            if name in encoders:
                reason = f"{name!r} has no {weights!r} weights"
            else:
                near = get_close_matches(name, encoders, n=1)
                reason = f"unknown encoder {name!r}" + (
                    f"; the nearest valid one is {near[0]!r}" if near else ""
                )
            raise ParameterError(
                f"training.encoder: {reason}",
                next_step="name an encoder of segmentation_models_pytorch and weights it offers, or null",
            ) from error
        except (RuntimeError, ValueError, TypeError) as error:
            # smp and timm have no error class of their own for "no such model" and "cannot be dilated".
            if not _REFUSALS.search(str(error)):
                raise
            raise ParameterError(
                f"training.encoder: {name!r} cannot be used with output stride {output_stride}: {error}",
                next_step="name an encoder of segmentation_models_pytorch, such as efficientnet-b3",
            ) from error
    return encoder


@contextmanager
def _no_waiting_for_an_absent_hub() -> Iterator[None]:
    """Ask the hub once; if it does not answer, use what is cached instead of retrying for a minute."""
    try:
        get_session().head(constants.ENDPOINT, timeout=HUB_TIMEOUT_S)
        answered = True
    except Exception as error:
        if not _is_unreachable(error):
            raise
        answered = False
    offline = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = offline or not answered
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = offline


def _is_unreachable(error: Exception) -> bool:
    """Return True if ``error`` comes from the hub or the way there, whatever HTTP library it uses."""
    origins = {cls.__module__.split(".")[0] for cls in type(error).__mro__}
    return isinstance(error, OSError) or bool(origins & {"httpx", "httpx2", "requests", "huggingface_hub"})


def _efficientnet_stages(encoder: Any) -> tuple[nn.Module, nn.Module] | None:  # noqa: ANN401
    blocks, bounds = getattr(encoder, "_blocks", None), getattr(encoder, "_out_indexes", None)
    if blocks is None or bounds is None:
        return None
    start4, start5 = bounds[1] + 1, bounds[2] + 1

    def stage(first: int, end: int) -> DropConnectStage:
        return DropConnectStage(
            list(blocks[first:end]), first=first, total=len(blocks), rate=encoder._drop_connect_rate
        )

    return stage(start4, start5), stage(start5, len(blocks))


def _timm_blocks(encoder: Any) -> tuple[nn.Module, nn.Module] | None:  # noqa: ANN401
    model = getattr(encoder, "model", None)
    outputs, blocks = getattr(model, "_stage_out_idx", None), getattr(model, "blocks", None)
    if outputs is None or blocks is None or len(outputs) != 5:
        return None
    ends = sorted(outputs)
    return nn.Sequential(*blocks[ends[2] : ends[3]]), nn.Sequential(*blocks[ends[3] : ends[4]])


def _timm_chain(encoder: Any) -> tuple[nn.Module, nn.Module] | None:  # noqa: ANN401
    model = getattr(encoder, "model", None)
    outputs = getattr(model, "return_layers", None)
    if model is None or outputs is None or len(outputs) != 5:
        return None
    names = list(dict(model.named_children()))
    ends = sorted(names.index(name) + 1 for name in outputs if name in names)
    if len(ends) != 5:
        return None
    chain = list(model.children())
    return nn.Sequential(*chain[ends[2] : ends[3]]), nn.Sequential(*chain[ends[3] : ends[4]])


def _smp_stages(encoder: Any) -> tuple[nn.Module, nn.Module] | None:  # noqa: ANN401
    try:
        stages = encoder.get_stages()
    except (AttributeError, NotImplementedError):
        return None
    if not {16, 32} <= set(stages):
        return None
    return nn.Sequential(*stages[16]), nn.Sequential(*stages[32])


def _reproduces(encoder: Any, stages: tuple[nn.Module, nn.Module], bands: int) -> bool:  # noqa: ANN401
    """Return True if the stages, chained from f3, give the encoder's own f4 and f5 for a probe."""
    modules = (encoder, *stages)
    training = [module.training for module in modules]
    for module in modules:
        module.eval()
    probe = torch.linspace(-1, 1, 64 * 64).reshape(1, 1, 64, 64).repeat(1, bands, 1, 1)
    try:
        with torch.no_grad():
            features = encoder(probe)
            deep = stages[0](features[3])
            return torch.equal(deep, features[4]) and torch.equal(stages[1](deep), features[5])
    except (RuntimeError, TypeError, AttributeError):
        return False
    finally:
        for module, mode in zip(modules, training, strict=True):
            module.train(mode)
