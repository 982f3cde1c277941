"""Environment of the tests: nothing that a user's shell or home says about stores, profiles and servers."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

_FOREIGN = (
    "AIRFLOW_",  # AIRFLOW_HOME and AIRFLOW__SECTION__KEY
    "AWS_",
    "DVC_",
    "GIT_",  # a hook's GIT_DIR would make every git of a test work on this repository
    "MLFLOW_",
    "STORMSIGHT_",
)
"""Beginnings of the variables that change what the commands do."""

_PROFILE = "profile: rehearsal"
"""Line of the committed params.yaml."""

_FOR_TESTS = ("STORMSIGHT_LAB_", "STORMSIGHT_REAL_SAMPLE")
"""Beginnings of those that are meant for the tests themselves."""

_OTHERS = {
    *("http_proxy", "https_proxy", "all_proxy"),  # servers of the tests are on this machine
    *("params_file", "rank", "local_rank", "world_size", "local_world_size", "master_addr", "master_port"),
}


def isolate(environment: MutableMapping[str, str]) -> None:
    """Remove the user's settings from ``environment``; point those that libraries look for at nothing."""
    for name in list(environment):
        foreign = name.startswith(_FOREIGN) and not name.startswith(_FOR_TESTS)
        if foreign or name.lower() in _OTHERS:
            del environment[name]
    home = Path(tempfile.mkdtemp(prefix="stormsight-tests-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    settings = {
        "AWS_CONFIG_FILE": str(home / "no-aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "no-aws-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "DVC_GLOBAL_CONFIG_DIR": str(home / "no-dvc-config"),
        "DVC_SYSTEM_CONFIG_DIR": str(home / "no-dvc-config"),
        # As the Makefile has them: nothing phones home.
        "DVC_NO_ANALYTICS": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GX_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        # Tests run side by side and their networks are tiny: threads that wait for each other only cost time.
        "OMP_NUM_THREADS": environment.get("OMP_NUM_THREADS", "1"),
    }
    environment.update(settings)


def problem_of_profile(params: Path) -> str | None:
    """Return why the tests cannot hold for a params.yaml; None if they can.

    A newcomer sets ``profile: smoke`` for a first look, and many tests read or edit the file as committed.
    """
    lines = [line for line in params.read_text(encoding="utf-8").splitlines() if line.startswith("profile:")]
    if lines == [_PROFILE]:
        return None
    found = " and ".join(repr(line) for line in lines) or "no profile"
    return f"params.yaml has {found}, and the tests hold for {_PROFILE!r}: put that line back, then run them"
