"""Exponential moving average of a network's weights and normalisation statistics over the last steps.

The last step's weights depend on which crops came last and on how sums were rounded on the way; their
average depends on both much less, at the price of one addition per weight and step (Izmailov et al., UAI
2018, average equally; the exponential form is ours).
"""

from __future__ import annotations

import math
from typing import Any

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class WeightAverage:
    """Moving average of one network during its training.

    Args:
        net: Network that is trained, on its device.
        share: Time constant as a share of the run.
        steps: Length of the run.
    """

    def __init__(self, net: nn.Module, share: float, steps: int) -> None:
        self._net = net
        decay = math.exp(-1.0 / max(1.0, share * steps))
        function = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        self._averaged = AveragedModel(net, multi_avg_fn=function, use_buffers=True)

    def update(self) -> None:
        """Take the network as it is now into the average; the first call starts it."""
        self._averaged.update_parameters(self._net)

    def publish(self) -> None:
        """Give the network the averaged weights and statistics."""
        self._net.load_state_dict(self._averaged.module.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """Return the average and the number of networks in it, for a checkpoint."""
        state: dict[str, Any] = self._averaged.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state_dict` gave."""
        self._averaged.load_state_dict(state)
