"""Check of what a run reaches outside of the checkout: sources, tracking server, ledger, GPU.

Each question is one request with a short time-out; no client library is imported for it.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import Request, urlopen

from components.check.findings import Findings
from components.contract.errors import ParameterError, ResourceError, SourceUnavailableError
from components.contract.redaction import redact
from components.contract.variables import DEFAULT_REGION
from components.download.catalogue import CatalogueEntry
from components.download.parameters import DownloadParameters
from components.evaluate.parameters import EvaluateParameters
from components.lib.disk import nearest_existing
from components.lib.engine.parameters import TrainingParameters
from components.lib.objects.opening import OBJECTS
from components.lib.tracking.accounts import authorization, unknown_account
from components.lib.tracking.database import check_database, sqlite_file
from components.lib.tracking.parameters import UNTRACKED, TrackingParameters
from components.promote.parameters import PromoteParameters

TIMEOUT_S = 5.0

LARGE_CROP_PX = 512
"""Crop side from which a training takes days without a GPU."""

_NVIDIA, _AMD = Path("/proc/driver/nvidia/gpus"), Path("/dev/kfd")


def check_sources(
    entries: Iterable[CatalogueEntry], download: DownloadParameters, root: Path, findings: Findings
) -> None:
    """Check that each acquisition's source answers; a warning is enough where its data are there already."""
    for entry in entries:
        uri = download.mirrors.get(entry.id, entry.source)
        problem = _problem_of_source(uri, download.endpoint_url, entry.region, root)
        if problem is None:
            continue
        if any((root / "data/raw").glob(f"*/{entry.id}")):
            findings.warnings.append(f"acquisition {entry.id}: {problem}; its data are there and will do")
        else:
            findings.errors.append(
                SourceUnavailableError(
                    f"acquisition {entry.id}: {problem}",
                    next_step="check the network, download.mirrors and download.endpoint_url in params.yaml",
                )
            )


def check_tracking(tracking: TrackingParameters, promote: PromoteParameters, root: Path) -> None:
    """Check that runs, models and the champions' history can be written.

    Raises:
        SourceUnavailableError: If a store does not answer or refuses the account, or its folder cannot be
            written.
        BadDataError: If MLflow's file is something else, or damaged.
        ResourceError: If it cannot be written.
    """
    uri = tracking.effective_uri
    name = "MLFLOW_TRACKING_URI" if os.environ.get("MLFLOW_TRACKING_URI") else "tracking.uri"
    if (database := sqlite_file(uri)) is not None:
        check_database(root / database)
        _require_folder(root / tracking.effective_artifacts, "tracking.artifacts")
    elif uri.startswith(("http://", "https://")):
        problem = _no_answer(f"{uri.rstrip('/')}/health")
        if problem is not None:
            raise SourceUnavailableError(
                f"{name}: MLflow at {redact(uri)} does not answer: {problem}",
                next_step=f"start the server, or correct {name}; {UNTRACKED!r} there trains without one",
            )
        if _refuses_us(uri):
            raise unknown_account(redact(uri))
    ledger = os.environ.get(OBJECTS) or promote.ledger
    where = OBJECTS if os.environ.get(OBJECTS) else "promote.ledger"
    if "://" not in ledger:
        _require_folder(root / ledger, where)
    elif ledger.startswith("s3:"):
        problem = _problem_of_source(ledger, None, None, root)
        if problem is not None:
            raise SourceUnavailableError(
                f"{where}: {problem}", next_step=f"check the network, or correct {where}"
            )


def check_gpu(training: TrainingParameters, evaluate: EvaluateParameters, findings: Findings) -> None:
    """Look for a GPU where the profile asks for one, or is too large without."""
    if _NVIDIA.is_dir() or _AMD.exists():
        return
    asked = {"training.device": training.device, "evaluate.device": evaluate.device}
    for name in (name for name, device in asked.items() if device == "cuda"):
        findings.errors.append(
            ResourceError(
                f"{name} is cuda, and this machine has no GPU",
                next_step=f"set {name} to auto, or run where there is one",
            )
        )
    if training.device != "cuda" and training.crop >= LARGE_CROP_PX:
        findings.warnings.append(
            f"this machine has no GPU; on crops of {training.crop} pixels a training takes days without one"
        )


def _problem_of_source(uri: str, endpoint: str | None, region: str | None, root: Path) -> str | None:
    """Return why a source cannot be read, None if it can."""
    scheme, _, rest = uri.partition("://")
    if scheme == "file":
        path = root / unquote(rest)
        return None if path.exists() else f"{path} does not exist"
    if scheme != "s3":
        return None
    bucket, _, prefix = rest.partition("/")
    given = endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    place = region or os.environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
    base = given or f"https://s3.{place}.amazonaws.com"
    query = f"?list-type=2&max-keys=1&prefix={quote(prefix, safe='')}"
    problem = _no_answer(f"{base.rstrip('/')}/{bucket}{query}")
    return None if problem is None else f"{uri} does not answer at {redact(base)}: {problem}"


def _no_answer(url: str) -> str | None:
    """Return why nothing useful answers at ``url``; None if something does, or asks who wants to know."""
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        return "it is no http(s) address"
    try:
        with urlopen(url, timeout=TIMEOUT_S):  # noqa: S310 - the scheme is checked above
            return None
    except HTTPError as error:
        return None if error.code in {301, 307, 400, 401, 403} else f"HTTP {error.code}"
    except URLError as error:
        if isinstance(error.reason, ssl.SSLError):
            return None  # it answers; the run's own client may know its certificate
        return str(error.reason)
    except (OSError, ValueError) as error:
        return str(error) or type(error).__name__


def _refuses_us(uri: str) -> bool:
    """Return whether MLflow does not know the account of a run; False if that cannot be told here."""
    header = authorization()
    if header is None:
        return False
    request = Request(f"{uri.rstrip('/')}/api/2.0/mlflow/experiments/search?max_results=1", headers=header)  # noqa: S310 - http(s) by its caller
    try:
        with urlopen(request, timeout=TIMEOUT_S):  # noqa: S310
            return False
    except HTTPError as error:
        return error.code == 401
    except OSError:
        return False


def _require_folder(path: Path, name: str) -> None:
    """Raise unless ``path`` is a folder that can be written, or can be made.

    Raises:
        SourceUnavailableError: If it cannot.
        ParameterError: If the path is impossible.
    """
    try:
        existing = nearest_existing(path)
        if existing.is_dir() and os.access(existing, os.W_OK):
            return
        reason = "it is a file" if path.exists() and not path.is_dir() else f"{existing} cannot be written"
    except OSError as error:
        raise ParameterError(f"{name}: {error.strerror}", next_step=f"correct {name}") from error
    raise SourceUnavailableError(
        f"{name}: {path} cannot be used: {reason}", next_step=f"correct {name}, or the rights of {path}"
    )
