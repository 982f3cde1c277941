"""Declaration of SGSLN for the stage `change`."""

from __future__ import annotations

from typing import Literal

from components.lib.change.nets.config import Exchange
from components.lib.change.training.method import ChangeMethod, ChangeMethodParameters
from components.lib.methods.sgsln.network import Sgsln


class SgslnParameters(ChangeMethodParameters):
    """Section `methods.sgsln` of ``params.yaml``.

    Attributes:
        width: Channels of the first stage: 32, 16 or 8 in the paper (SGSLN/512, /256, /128).
        exchange: Place where the dates exchange channels: at stride 8 as ``published``; ``early`` at stride 2
            and ``none`` are ablations (ours).
        exchange_every: One in so many channels is exchanged: 2 as published, 4 an ablation.
    """

    width: Literal[8, 16, 32] = 32
    exchange: Exchange = "published"
    exchange_every: Literal[2, 4] = 2


class SgslnMethod(ChangeMethod[SgslnParameters]):
    """SGSLN as published, with the loss that all change methods share."""

    name = "sgsln"
    description = "two encoder-decoders that exchange channels"
    parameters = SgslnParameters
    network = Sgsln


CHANGE = SgslnMethod()
