"""Learning rate and the ramp of a loss term, per step."""

from __future__ import annotations

import math
from typing import Literal

POWER = 0.9

Schedule = Literal["cosine", "plain", "reference", "constant"]


def learning_rate(
    step: int, *, base: float, steps: int, steps_per_epoch: int, schedule: Schedule, warmup_share: float = 0.0
) -> float:
    """Return the rate of step ``step``: the schedule's, less while the warm-up lasts.

    Args:
        step: Index of the step about to be taken, 0 to ``steps - 1``.
        base: Rate that the schedule starts from.
        steps: Length of the run.
        steps_per_epoch: Steps of one pass, for ``reference``.
        schedule: ``cosine`` is ``base * (1 + cos(pi * step / steps)) / 2`` (Loshchilov and Hutter, ICLR 2017,
            without restarts); ``constant`` is ``base``; the others as :func:`poly_rate`.
        warmup_share: Share of the steps over which the rate rises linearly, from ``1 / warm-up`` of it.
    """
    if schedule == "cosine":
        rate = 0.5 * base * (1.0 + math.cos(math.pi * step / steps))
    elif schedule == "constant":
        rate = base
    else:
        rate = poly_rate(step, base=base, steps=steps, steps_per_epoch=steps_per_epoch, form=schedule)
    return rate * ramp(step + 1, round(warmup_share * steps))


def poly_rate(
    step: int, *, base: float, steps: int, steps_per_epoch: int, form: Literal["reference", "plain"]
) -> float:
    """Learning rate of step ``step`` (counted from 0), ``base * (1 - T/M)**0.9``.

    ``reference`` follows DisOptNet's released code: after each step the rate is set with
    ``T = epoch*I + i``, the epoch counted from 1, and ``M = (E+1)*I``; the first step alone uses ``base``.
    Over 200 epochs that is harmless; over one it starts at 0.54 ``base``. ``plain`` is the same curve
    without the offset, ``T = step`` and ``M = steps``, and is ours for short runs.

    Args:
        step: Index of the step about to be taken, 0 to ``steps - 1``.
        base: Rate of the first step.
        steps: Length of the run.
        steps_per_epoch: I of the formula.
        form: Indexing of the steps.
    """
    if form == "plain":
        return base * math.pow(1.0 - step / steps, POWER)
    if step == 0:
        return base
    # Finished steps are numbered from 0 within epoch 1, so the rate after the first one has T = I.
    done = steps_per_epoch + step - 1
    return base * math.pow(1.0 - done / (steps + steps_per_epoch), POWER)


def ramp(step: int, length: int) -> float:
    """Share of a loss term's weight at ``step``: 0 at first, linearly to 1 at step ``length`` and after.

    Our reading of HFD-Net raises its feature term over the first five epochs, while adapters are raw.
    """
    return 1.0 if length <= 0 else min(1.0, step / length)
