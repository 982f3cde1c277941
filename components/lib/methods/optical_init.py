"""A second control: as ``none``, started from the optical teacher's weights, which is all that it teaches."""

from __future__ import annotations

from components.lib.methods.base import MethodParameters, SupervisedMethod, require_same_contours
from components.lib.nets.network import SegmentationNetwork
from components.lib.nets.singlemap import SingleMapNetwork


class OpticalInitialisation(SupervisedMethod):
    """DeepLabV3+ from the teacher's weights and statistics, first convolution included."""

    name = "optical_init"
    description = "SAR only, started from the teacher's weights"
    kind = "deeplabv3plus"
    teacher = "deeplabv3plus"

    def start(
        self, net: SegmentationNetwork, teacher: SingleMapNetwork | None, parameters: MethodParameters
    ) -> None:
        """Copy every weight of ``teacher`` into ``net``."""
        assert teacher is not None
        require_same_contours(net, teacher)
        net.load_state_dict(teacher.state_dict())


METHOD = OpticalInitialisation()
