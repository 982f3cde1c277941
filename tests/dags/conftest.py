"""Airflow writes its configuration into its home on import: give it one of its own."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

_HOME = tempfile.mkdtemp(prefix="stormsight-airflow-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ["AIRFLOW_HOME"] = _HOME
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")

from tests.object_stores import bucket, s3_environment, s3_url, store_uri  # noqa: E402 - after the home

__all__ = ["bucket", "s3_environment", "s3_url", "store_uri"]
