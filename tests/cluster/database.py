"""Airflow's database: PostgreSQL where it is installed, SQLite otherwise."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

from tests.cluster.endpoints import base_environment
from tests.cluster.environment import command
from tests.cluster.processes import Server, free_port

OPTIONS = [
    f"--{option}"
    for option in (
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        # A database that lives for one test run need not survive a power cut.
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "max_connections=200",
    )
]


def postgres_programs() -> Path | None:
    """Return the folder of ``initdb`` and ``postgres``; Debian keeps them off the path."""
    found = shutil.which("initdb")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((p for p in candidates if (p / "initdb").is_file() and (p / "postgres").is_file()), None)


def start_database(folder: Path) -> tuple[Server | None, str]:
    """Start a database for Airflow below ``folder``; ``STORMSIGHT_LAB_DATABASE=sqlite`` forbids PostgreSQL.

    Returns:
        The server, None for SQLite, and the SQLAlchemy address.
    """
    programs = postgres_programs()
    if programs is None or os.environ.get("STORMSIGHT_LAB_DATABASE") == "sqlite":
        return None, f"sqlite:///{folder}/airflow.db"
    user = _unprivileged_user()
    data, port = folder / "postgres", free_port()
    data.mkdir(mode=0o700)
    prefix = []
    if user is not None:
        shutil.chown(data, user)
        # The signal at the parent's death does not survive a change of user: it is named again.
        prefix = ["setpriv", f"--reuid={user}", "--clear-groups", "--pdeathsig", "INT", "--"]
    initdb = [str(programs / "initdb"), "--auth=trust", "--username=airflow", "--encoding=UTF8", "--locale=C"]
    command([*prefix, *initdb, "--no-sync", f"--pgdata={data}"])
    server = Server(
        "postgres",
        [*prefix, str(programs / "postgres"), "-D", str(data), "-p", str(port), *OPTIONS],
        base_environment(),
        folder / "postgres.log",
    )
    server.start()
    probe = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    server.wait_ready(lambda: os.spawnv(os.P_WAIT, probe[0], probe) == 0)
    return server, f"postgresql+psycopg2://airflow@127.0.0.1:{port}/postgres"


def _unprivileged_user() -> str | None:
    """Return the user that PostgreSQL runs as, since it refuses root; ``None`` if we are not root."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
