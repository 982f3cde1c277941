"""DeepLabV3+ on optical images: the teacher of all methods but those that need one of their own kind.

Its network is shared (:mod:`components.lib.architectures.deeplab`):
Kang et al., TGRS 2022 (DisOptNet), section III-A.
"""

from __future__ import annotations

from components.lib.methods.base import Teacher

TEACHER = Teacher(kind="deeplabv3plus", description="optical images, the ceiling")
