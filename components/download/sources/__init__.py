"""Where acquisitions come from: one small interface, one declared implementation per URI scheme."""

from components.download.sources.base import (
    Delivery,
    Generated,
    LooseFiles,
    Member,
    ObjectChangedError,
    Packed,
    RangeReader,
    RemoteObject,
    Source,
    TransientError,
)
from components.download.sources.opening import SOURCES, open_source

__all__ = [
    "SOURCES",
    "Delivery",
    "Generated",
    "LooseFiles",
    "Member",
    "ObjectChangedError",
    "Packed",
    "RangeReader",
    "RemoteObject",
    "Source",
    "TransientError",
    "open_source",
]
