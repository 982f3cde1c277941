"""``python -m components.exporter``: serve the metrics, or print them once."""

from __future__ import annotations

import argparse
import logging
import sys
import threading

from components.contract.errors import ParameterError
from components.lib.cli import run

LOG = logging.getLogger(__name__)

HOST, PORT, INTERVAL_S = "127.0.0.1", 9464, 30.0

LONGEST_INTERVAL_S = 86_400.0


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line; serve until the process is ended, or print one reading."""
    options = parser().parse_args(arguments)
    if options.table:
        print_table()
        return
    if not 0 < options.interval <= LONGEST_INTERVAL_S:
        raise ParameterError(
            f"--interval is {options.interval}",
            next_step=f"give seconds above 0, {LONGEST_INTERVAL_S:g} at most, such as --interval 30",
        )
    if options.once:
        print_once()
    else:
        serve(options.host, options.port, options.interval)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    command = argparse.ArgumentParser(
        prog="python -m components.exporter",
        description="Metrics for Prometheus, read from STORMSIGHT_OBJECTS (default var/objects), "
        "STORMSIGHT_LANDING (default var/landing) and, where it is set, STORMSIGHT_BACKUPS; nothing is "
        "written.",
    )
    command.add_argument("--host", default=HOST, help="address to listen to (%(default)s)")
    command.add_argument("--port", type=int, default=PORT, help="port, 0 for any (%(default)s)")
    command.add_argument(
        "--interval", type=float, default=INTERVAL_S, help="seconds between two readings (%(default)s)"
    )
    printed = command.add_mutually_exclusive_group()
    printed.add_argument("--once", action="store_true", help="print one reading and end")
    printed.add_argument("--table", action="store_true", help="print all metrics as a Markdown table and end")
    return command


def print_table() -> None:
    """Print the registry as docs/operate/metrics.md shows it."""
    from components.lib.monitoring.registry import declared, markdown  # noqa: PLC0415 - slow imports

    sys.stdout.write(markdown(declared()))


def print_once() -> None:
    """Read all sources and print them in Prometheus' text format.

    Raises:
        SourceUnavailableError: If nothing could be read.
    """
    from components.exporter.parameters import Places  # noqa: PLC0415 - slow imports
    from components.exporter.reading import read_all, require_some  # noqa: PLC0415
    from components.exporter.server import exposition  # noqa: PLC0415
    from components.exporter.sources import Sources  # noqa: PLC0415

    reading = read_all(Sources(Places.read()))
    require_some(reading)
    for source, message in reading.failed.items():
        LOG.warning("%s could not be read: %s", source, message)
    sys.stdout.write(exposition(reading))


def serve(host: str, port: int, interval: float) -> None:
    """Serve until the process is ended.

    Raises:
        ResourceError: If the address cannot be had.
    """
    from components.exporter.parameters import Places  # noqa: PLC0415 - slow imports
    from components.exporter.server import Exporter, open_server  # noqa: PLC0415
    from components.exporter.sources import Sources  # noqa: PLC0415

    exporter = Exporter(Sources(Places.read()), interval)
    server = open_server(exporter, host, port)
    threading.Thread(target=exporter.run, name="reader", daemon=True).start()
    LOG.info("metrics at http://%s:%d/metrics", *server.server_address[:2])
    try:
        server.serve_forever()
    finally:
        exporter.stop()
        server.server_close()


if __name__ == "__main__":
    run(main)
