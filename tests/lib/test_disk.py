from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from components.contract.errors import ResourceError
from components.lib.disk import require_free_space, require_writable, resource_failure, writing_to


def test_a_disk_too_small_is_told_before_the_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_free_space(tmp_path / "not" / "yet", 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(ResourceError, match="GB are needed"):
        require_free_space(tmp_path, 11)


def test_a_folder_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_writable(tmp_path / "not" / "yet" / "made")
    assert list(tmp_path.iterdir()) == []

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    with pytest.raises(ResourceError, match="models cannot be written: Read-only file system"):
        require_writable(tmp_path / "models")


def test_a_file_in_place_of_a_folder_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ResourceError, match="reports cannot be written: Not a directory"):
        require_writable(tmp_path / "file" / "reports")


def wrapped(error: Exception, cause: Exception | None = None) -> Exception:
    error.__cause__ = cause
    return error


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "models/last.pt")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FULL, "models/last.pt cannot be read or written: No space left on device"),
        (OSError(errno.EROFS, "x"), "Read-only file system"),
        (PermissionError(errno.EACCES, "x", "data"), "data cannot be read or written: Permission denied"),
        (wrapped(RuntimeError("the writer failed"), FULL), "No space left"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "No space left"),
    ],
)
def test_a_full_or_read_only_disk_is_found_behind_any_error(error: Exception, told: str) -> None:
    failure = resource_failure(error)
    assert failure is not None
    assert told in failure.message


@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), FileNotFoundError(errno.ENOENT, "x"), KeyError("x")]
)
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    assert resource_failure(error) is None


def test_an_error_about_another_file_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), writing_to(tmp_path / "here"):
        raise PermissionError(errno.EACCES, "no", str(tmp_path / "elsewhere"))
