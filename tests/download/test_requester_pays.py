"""Buckets whose owner lets the requester pay: the switch, and what is said without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.contract.errors import ParameterError, SourceUnavailableError
from tests.download.endpoint import Fault, Proxy, Seen, put
from tests.download.release import entry, release
from tests.download.test_s3 import ARCHIVE, SOURCE, by_name, contents, fetch


def refuse_unpaid(seen: Seen) -> Fault | None:
    if seen.headers.get("x-amz-request-payer") == "requester":
        return None
    return Fault(status=403, code="AccessDenied")


@pytest.fixture
def paid(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Proxy:
    """An endpoint that answers only those who pay."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    put(proxy.upstream, release())
    proxy.fault = refuse_unpaid
    return proxy


@pytest.mark.parametrize("where", ["parameters", "catalogue"])
def test_with_the_switch_every_request_offers_to_pay(where: str, tmp_path: Path, paid: Proxy) -> None:
    one = entry(SOURCE, anonymous=False, requester_pays=where == "catalogue")
    raw = fetch(tmp_path, paid, one, requester_pays=where == "parameters")
    assert contents(raw) == by_name(release())
    assert {seen.headers.get("x-amz-request-payer") for seen in paid.log} == {"requester"}


@pytest.mark.parametrize("archive", [None, ARCHIVE])
def test_without_it_the_refusal_names_the_switch(archive: str | None, tmp_path: Path, paid: Proxy) -> None:
    with pytest.raises(SourceUnavailableError, match=r"403.*") as caught:
        fetch(tmp_path, paid, entry(SOURCE, anonymous=False, archive=archive))
    assert "download.requester_pays: true" in caught.value.next_step


def test_a_refused_file_names_the_switch_too(tmp_path: Path, paid: Proxy) -> None:
    paid.fault = lambda seen: refuse_unpaid(seen) if seen.key.endswith(".tif") else None
    with pytest.raises(SourceUnavailableError) as caught:
        fetch(tmp_path, paid, entry(SOURCE, anonymous=False))
    assert "download.requester_pays: true" in caught.value.next_step


def test_nobody_pays_without_a_signature(tmp_path: Path, proxy: Proxy) -> None:
    with pytest.raises(ParameterError, match="must be signed"):
        fetch(tmp_path, proxy, entry(SOURCE), requester_pays=True)
