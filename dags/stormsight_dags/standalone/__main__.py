"""``python -m stormsight_dags.standalone``: Airflow on this machine, on SQLite, stages as processes.

Unlike ``airflow standalone`` it looks at the port first, lets the scheduler start once the API answers, and
ends all parts in seconds, even when it is killed itself. The Makefile sets Airflow's variables.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
import urllib.request
from pathlib import Path

from components.contract.errors import ParameterError, SourceUnavailableError, StormsightError
from stormsight_dags.standalone.supervisor import Part, Supervisor

PORT, HOST = "AIRFLOW__API__PORT", "AIRFLOW__API__HOST"
HEALTH = "/api/v2/monitor/health"


def main() -> int:
    """Run Airflow until Ctrl-C; return the exit code."""
    try:
        host, port = os.environ.get(HOST, "127.0.0.1"), port_of(os.environ.get(PORT, "8080"))
        require_port(host, port)
        url = f"http://{host}:{port}"
        home = Path(os.environ["AIRFLOW_HOME"])
        say(f"pages: {url}   logs: {home / 'parts'}   end: Ctrl-C")
        supervisor(url, home, port).run()
    except StormsightError as error:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


def supervisor(url: str, home: Path, port: int) -> Supervisor:
    """Return the supervisor of Airflow's parts, the API first."""
    airflow = (sys.executable, "-m", "airflow")
    environment = {
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        **os.environ,
        PORT: str(port),
    }
    return Supervisor(
        prepare=[Part("database", (*airflow, "db", "migrate"))],
        parts=[
            Part("api-server", (*airflow, "api-server")),
            # Logs are read from the folder: no further ports to be taken.
            Part("scheduler", (*airflow, "scheduler", "--skip-serve-logs")),
            Part("dag-processor", (*airflow, "dag-processor")),
            Part("triggerer", (*airflow, "triggerer", "--skip-serve-logs")),
        ],
        answers=lambda: answers(f"{url}{HEALTH}"),
        environment=environment,
        directory=Path.cwd(),
        logs=home / "parts",
        say=say,
    )


def port_of(text: str) -> int:
    """Return the port that a setting names.

    Raises:
        ParameterError: If it is none.
    """
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536):
        raise ParameterError(f"{PORT}: {text[:40]!r} is no port", next_step="use a number from 1 to 65535")
    return int(text)


def require_port(host: str, port: int) -> None:
    """Check that nobody listens at the port.

    Raises:
        SourceUnavailableError: If somebody does.
        ParameterError: If this machine has no such address, or the port is reserved.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise SourceUnavailableError(
                    f"port {port} of {host} is taken by another program",
                    next_step=f"end that program (`ss -ltnp 'sport = :{port}'` names it), or take another "
                    f"port: `make airflow AIRFLOW__API__PORT={min(port + 1, 65535)}`",
                ) from error
            raise ParameterError(
                f"{host}:{port} cannot be used: {error.strerror or error}",
                next_step=f"set {HOST} to an address of this machine and {PORT} to a port above 1023",
            ) from error


def answers(url: str) -> bool:
    """Return True if a GET succeeds, without any proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as response:
            return bool(response.status == 200)
    except (OSError, ValueError):
        return False


def say(line: str) -> None:
    """Print a line; a reader that has gone (``| head``) is no reason to leave children behind."""
    with contextlib.suppress(OSError):
        sys.stdout.write(f"airflow: {line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    code = main()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(code)  # nothing is left to do, and a closed pipe would turn the exit code into 120
