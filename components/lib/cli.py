"""The frame every stage's ``__main__`` runs in: logging set up, expected failures told in two lines."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Callable
from typing import NoReturn

from components.lib.errors import StormsightError

CHATTY = ("alembic", "botocore", "great_expectations", "matplotlib", "mlflow", "rasterio", "urllib3")
"""Libraries whose progress notes bury ours; their warnings still show."""


def run(main: Callable[[], int | None]) -> NoReturn:
    """Run ``main`` and exit with its code, or with the exit code of the failure class it raised.

    A ``StormsightError`` is a user's or an operator's matter and is printed without a traceback; anything
    else is our bug and keeps its traceback. ``STORMSIGHT_LOG`` sets the log level (default ``INFO``).
    """
    logging.basicConfig(
        level=os.environ.get("STORMSIGHT_LOG", "INFO").upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    # Tiles are also handled as plain pixels, on purpose; rasterio remarks on it once per tile.
    warnings.filterwarnings("ignore", message="Dataset has no geotransform")
    for library in CHATTY:
        logging.getLogger(library).setLevel(logging.WARNING)
    try:
        code = main()
    except StormsightError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    sys.exit(code or 0)
