"""A change network as a predictor of whole images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from components.lib.change.nets.network import ChangeNetwork
from components.lib.change.pair import Pixels
from components.lib.change.scoring.protocols import Probability


@dataclass(frozen=True, slots=True)
class NetworkPredictor:
    """Change predicted by a network, on the device that the network is on.

    Attributes:
        net: The network.
    """

    net: ChangeNetwork

    def predict(self, before: Pixels, after: Pixels) -> Probability:
        """Return the probability that a pixel changed, (H, W) float32.

        Args:
            before: (H, W, C) uint8 of the first date, with the bands of the network's configuration.
            after: The same of the second date.
        """
        device = next(self.net.parameters()).device
        first, second = (
            torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].to(device)
            for image in (before, after)
        )
        logits = self.net.predict(first, second)[0, 0]
        probability: Probability = logits.float().sigmoid().cpu().numpy()
        return probability
