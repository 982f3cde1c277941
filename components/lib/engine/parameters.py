"""Parameters that all training stages share: the section `training` of ``params.yaml``, and the budget."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from components.contract.errors import ParameterError
from components.lib.config.loader import Parameters
from components.lib.tasks.names import TaskName

LEAST_CROP_PX = 32


class Budget(Parameters):
    """Length of a training; the sections of the training stages extend it.

    Attributes:
        epochs: Passes over the train tiles.
        crops_per_tile: Random crops of each tile per pass.
    """

    epochs: int = Field(ge=1)
    crops_per_tile: int = Field(ge=1)

    def steps(self, tiles: int, batch: int) -> int:
        """Return the optimiser steps over ``tiles``: each pass is the batches that see every tile's crops."""
        return self.epochs * math.ceil(tiles * self.crops_per_tile / batch)


def source_px(crop: int, low: float) -> int:
    """Return the side of the square to cut for a crop that is zoomed by at least ``low``, pixels."""
    return max(crop, math.ceil(crop / low))


class TrainingParameters(Parameters):
    """Section `training`, shared by the stages optical, distill and adapt.

    Attributes:
        encoder: Name of an encoder of segmentation_models_pytorch.
        encoder_weights: ``imagenet`` or None; falls back to None with a message where no hub is reachable.
        decoder_channels: Width of the DeepLabV3+ decoder (DisOptNet: 256).
        aspp_rates: Dilation rates of the DeepLabV3+ decoder: ``crop`` derives them from the side of a crop,
            so that every tap is trained (:func:`components.lib.nets.parts.aspp_rates`, ours); ``reference``
            has 12, 24 and 36.
        aspp_dropout: Share of the ASPP's merged features that a step drops; 0.5 in the reference, for 200
            epochs. In short runs it costs IoU, and makes equal recipes differ.
        crop: Side of a training crop, pixels.
        batch: Crops per step and sensor; batch normalisation of pooled features needs two.
        scale_jitter: Least and largest random zoom of a crop; None leaves crops as they are.
        contour_weight: Weight of the contour head's loss (footprint, edge, contact); 0 trains no such head.
        optimiser: ``sgd`` with Nesterov's correction, as both references; ``adamw`` (Loshchilov and Hutter,
            ICLR 2019), whose rate per parameter makes short trainings agree with each other.
        lr: Base rate of the schedule.
        warmup_share: Share of the steps over which the rate rises linearly to the schedule's.
        schedule: ``cosine`` from the base rate to 0; ``constant`` stays at it; ``plain`` is DisOptNet's poly
            schedule from step 0 to the last; ``reference`` indexes it as that code does (an epoch early,
            which is harmless at 200 epochs and halves the rate of one).
        momentum: Momentum of SGD; AdamW keeps its own.
        weight_decay: On every trainable parameter, normalisation included (as released): L2 with SGD,
            decoupled with AdamW.
        clip_norm: L2 norm that gradients are clipped to; None clips nothing.
        average_share: Time constant, as a share of the steps, of the exponential moving average of weights
            and normalisation statistics that is published; None publishes the last step's.
        sar_normalisation: ``reference`` is (x - 127.5) / 31.875 in SAR units, which puts SAR off-centre
            as in DisOptNet's code; ``centred`` uses the moments of SpaceNet 6
            (docs/methods/spacenet6.md).
        precision: ``auto`` is bf16 where the GPU has it and 32 bits elsewhere.
        device: ``auto`` takes a GPU if there is one.
        threads: Threads that PyTorch computes with on the CPU; the order of sums, and so the last bits of a
            model, depend on it. None leaves it to PyTorch: as many as the machine has cores.
        store: Place where crops are cut: from mapped files (``host``), or from the train tiles' layers, put
            whole on the training device (``device``); the pixels are the same.
        deterministic: Kernels that give the same bits each time; False lets a GPU choose the fastest ones.
        compile: Run the task through ``torch.compile`` on a GPU: minutes at the start, repaid by long
            runs. On a CPU it was slower than not compiling, and is not done.
        seed: Seed of weights, crops, flips and dropout.
        perturbation: Number of a draw of noise, a millionth of each initial weight, that measures how far
            rounding alone carries a training (``components.experiments.stability``); 0 draws none.
        checkpoint_every: Steps between checkpoints.
        log_every: Steps between logged losses; the only steps at which the host waits for the GPU.
    """

    encoder: str
    encoder_weights: Literal["imagenet"] | None
    decoder_channels: int = Field(ge=8)
    aspp_rates: Literal["crop", "reference"] = "crop"
    aspp_dropout: float = Field(default=0.5, ge=0.0, lt=1.0)
    crop: int = Field(ge=LEAST_CROP_PX)
    batch: int = Field(ge=2)
    scale_jitter: tuple[float, float] | None = None
    contour_weight: float = Field(default=0.0, ge=0.0)
    optimiser: Literal["sgd", "adamw"] = "sgd"
    lr: float = Field(gt=0.0)
    warmup_share: float = Field(default=0.0, ge=0.0, lt=1.0)
    schedule: Literal["cosine", "plain", "reference", "constant"] = "plain"
    momentum: float = Field(gt=0.0, lt=1.0)
    weight_decay: float = Field(ge=0.0)
    clip_norm: float | None = Field(default=None, gt=0.0)
    average_share: float | None = Field(default=None, gt=0.0, le=1.0)
    sar_normalisation: Literal["reference", "centred"] = "centred"
    precision: Literal["auto", "32", "bf16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = Field(default=None, ge=1, le=1024)
    store: Literal["host", "device"] = "host"
    compile: bool = False
    deterministic: bool = True
    seed: int = Field(ge=0, lt=2**32)
    perturbation: int = Field(default=0, ge=0, lt=2**32)
    checkpoint_every: int = Field(ge=1)
    log_every: int = Field(ge=1)

    def wants_contours(self, task: TaskName) -> bool:
        """Return whether networks of a task are to have a contour head.

        Raises:
            ParameterError: If they cannot.
        """
        if self.contour_weight > 0 and task != "buildings":
            raise ParameterError(
                f"training.contour_weight: {self.contour_weight:g}, and networks of {task} (prepare.task) "
                "have no head for footprint, edge and contact",
                next_step="set training.contour_weight to 0",
            )
        return self.contour_weight > 0

    def require_fitting(self, side: int, where: str) -> None:
        """Check that crops, cut larger for the least zoom, fit into tiles.

        Args:
            side: Shorter side of the tiles, pixels.
            where: Name of the tiles in the message.

        Raises:
            ParameterError: If they do not; names the largest crop that does.
        """
        low = 1.0 if self.scale_jitter is None else self.scale_jitter[0]
        if source_px(self.crop, low) <= side:
            return
        largest = next(crop for crop in range(side, -1, -1) if source_px(crop, low) <= side)
        zoomed = "" if low >= 1 else f" at zoom {low:g} (training.scale_jitter)"
        cut = "" if low >= 1 else f": {source_px(self.crop, low)} pixels are cut for it"
        raise ParameterError(
            f"training.crop: {self.crop}{zoomed} does not fit into {where} of {side} pixels{cut}",
            next_step=f"set training.crop to at most {largest}"
            if largest >= LEAST_CROP_PX
            else f"prepare larger tiles: a crop has at least {LEAST_CROP_PX} pixels",
        )

    @model_validator(mode="after")
    def _zoom_in_order(self) -> TrainingParameters:
        if self.scale_jitter is not None and not 0.25 <= self.scale_jitter[0] <= self.scale_jitter[1] <= 4:
            raise ValueError("scale_jitter must be two scales in order, between 0.25 and 4")
        return self
