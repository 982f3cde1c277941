"""Writers of files that appear whole when a ``with`` block succeeds, and not at all otherwise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class OutputWriter(ABC):
    """Writer of one file of a map, block by block."""

    @abstractmethod
    def close(self) -> None:
        """Publish the file.

        Raises:
            ResourceError: If the disk is full.
        """

    @abstractmethod
    def discard(self, error: BaseException) -> None:
        """Remove what was written so far.

        Args:
            error: Reason, which is raised again, or another one in its place.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.discard(error)
