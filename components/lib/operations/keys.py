"""What identifies a training."""

from __future__ import annotations

from collections.abc import Mapping

from components.lib.files import sha256_bytes
from components.lib.objects.sealed import canonical


def training_key(acquisitions: Mapping[str, str], code: str, params: str) -> str:
    """SHA-256 over the acquisition set, the code and the parameters.

    Args:
        acquisitions: SHA-256 of the catalogue entry by acquisition, in any order.
        code: SHA-256 of the code.
        params: SHA-256 of the parameters that change results.
    """
    return sha256_bytes(canonical({"acquisitions": dict(acquisitions), "code": code, "params": params}))
