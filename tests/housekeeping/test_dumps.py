"""Dumps leave the cluster once each, and only when they are whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.contract.errors import MissingInputError
from components.housekeeping.__main__ import main
from components.housekeeping.dumps import upload_dumps
from components.lib.objects.opening import open_objects


def test_each_dump_is_copied_once(tmp_path: Path) -> None:
    folder, store = tmp_path / "dumps", tmp_path / "store"
    folder.mkdir()
    (folder / "mlflow-1.dump").write_bytes(b"one")
    (folder / "airflow-1.dump.part").write_bytes(b"half")
    main(["upload-dumps", str(folder), str(store)])
    objects = open_objects(str(store))
    assert [info.key for info in objects.list()] == ["mlflow-1.dump"]
    (folder / "airflow-1.dump").write_bytes(b"two")
    assert upload_dumps(folder, objects) == ["airflow-1.dump"]
    objects.put("mlflow-1.dump", b"o")
    assert upload_dumps(folder, objects) == ["mlflow-1.dump"], "one of another size is copied again"
    assert objects.get("mlflow-1.dump") == b"one"
    (folder / "airflow-1.dump").unlink()
    assert upload_dumps(folder, objects) == []
    assert objects.exists("airflow-1.dump"), "nothing is removed"


def test_no_dump_at_all_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"holds no \*\.dump"):
        upload_dumps(tmp_path, open_objects(str(tmp_path / "store")))
