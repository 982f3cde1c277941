"""Command line: ``python -m components.dashboard`` serves, exports or publishes the pages."""

from __future__ import annotations

import argparse
import os
import socket
from pathlib import Path

from components.contract.errors import ParameterError
from components.dashboard.guard import require_guarded
from components.dashboard.parameters import TOKEN, Places
from components.lib.cli import comma_list, report_result, run
from components.lib.folders import read_bounded

PORT = 8050


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line; serve until stopped, or export."""
    options = _parser().parse_args(arguments)
    if options.export is not None or options.publish:
        _export(options.export)
        return
    token = _token(options.token_file)
    require_guarded(options.host, token)
    _serve(options.host, options.port, options.names or [], token)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m components.dashboard",
        description="Serve pages on champions, runs, data quality, scores, cost and maps, from "
        "STORMSIGHT_OBJECTS and the checkout in this folder (or STORMSIGHT_SOURCE); nothing is written.",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--export", type=Path, metavar="DIR", help="write them into a folder instead")
    how.add_argument(
        "--publish", action="store_true", help="write them into the object store, for Airflow's pages"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (%(default)s); another needs a token"
    )
    parser.add_argument("--port", type=int, default=PORT, help="port to listen on (%(default)s)")
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help=f"file with the readers' password (or {TOKEN})"
    )
    parser.add_argument(
        "--names", type=comma_list, metavar="NAME,NAME", help="further host names that readers call it by"
    )
    return parser


def _token(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get(TOKEN) or None
    content = read_bounded(file, "the token's file", 4096, next_step="name a file with one line")
    try:
        return content.decode().strip()
    except UnicodeDecodeError as error:
        raise ParameterError("the token's file holds no text", next_step="write one line") from error


# Each imports what it needs: --help takes no seconds.


def _export(folder: Path | None) -> None:
    """Write the pages into a folder; without one, into the object store."""
    from components.dashboard.drawing import Drawer  # noqa: PLC0415
    from components.dashboard.export import export_site, publish_site  # noqa: PLC0415
    from components.dashboard.site import Site  # noqa: PLC0415
    from components.dashboard.snapshot import Sources  # noqa: PLC0415

    sources = Sources(Places.from_environment())
    site = Site(sources.read(), Drawer())
    if folder is None:
        files = publish_site(site, sources.objects)
        print(f"{files} files in {sources.objects.uri}")
    else:
        files = export_site(site, folder)
        print(f"{files} files: open {folder / 'index.html'}")
    report_result({"files": files})


def _serve(host: str, port: int, names: list[str], token: str | None) -> None:
    import uvicorn  # noqa: PLC0415

    from components.dashboard.app import LOOPBACK, make_app  # noqa: PLC0415
    from components.dashboard.snapshot import Keeper, Sources  # noqa: PLC0415

    keeper = Keeper(Sources(Places.from_environment()).read)
    keeper.latest()
    app = make_app(keeper.latest, hosts=[*LOOPBACK, host, *names], token=token)
    with _listening(host, port) as listener:
        print(f"dashboard: http://{f'[{host}]' if ':' in host else host}:{port}/   (end: Ctrl-C)", flush=True)
        config = uvicorn.Config(app, log_level="warning", server_header=False, access_log=False)
        uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        ParameterError: If the address is none of this machine's, or the port is taken or no port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        raise ParameterError(
            f"cannot listen on {host}, port {port}: {getattr(error, 'strerror', None) or error}",
            next_step="name another one with --port or --host, or end what listens there",
        ) from error


if __name__ == "__main__":
    run(main)
