"""No piece of a credential leaves a stream, however the writes and the lines fall."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contract.processes import ChildProcess
from components.contract.redacted_streams import LONGEST_KEY, LineRedactor, RedactedStream
from components.contract.redaction import redact
from tests.conftest import ROOT
from tests.contract.test_redaction import CARRIERS, KEY_BODY, RANDOM_SECRETS, WORDS


def written(chunks: list[str]) -> str:
    """Return the text that arrives of chunks that are written and flushed one by one."""
    target = io.StringIO()
    stream = RedactedStream(target, {})
    for chunk in chunks:
        stream.write(chunk)
        stream.flush()
    stream.finish()
    return target.getvalue()


def cut(text: str, places: list[int]) -> list[str]:
    edges = [0, *sorted({place % (len(text) + 1) for place in places}), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


@given(st.sampled_from(CARRIERS), RANDOM_SECRETS, st.lists(st.integers(0, 500), max_size=6))
def test_a_secret_split_over_writes_never_leaves(carrier: str, secret: str, places: list[int]) -> None:
    text = f"before\n{carrier.format(secret)}\nafter\n"
    shown = written(cut(text, places))
    assert secret not in shown
    assert shown == written([text]), "the same, wherever the writes end"


@given(st.lists(WORDS, max_size=8), st.lists(st.integers(0, 500), max_size=6))
def test_text_without_secrets_arrives_unchanged(lines: list[str], places: list[int]) -> None:
    text = "\n".join(lines)
    assert written(cut(text, places)) == text


@given(KEY_BODY, st.sampled_from(["RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"]))
def test_no_line_of_a_private_key_leaves(body: list[str], label: str) -> None:
    lines = ["read", f"-----BEGIN {label}-----", *body, f"-----END {label}-----", "loss 0.31"]
    redacted = LineRedactor({})
    shown = [redacted(f"[base] {line}") for line in lines]
    assert not [line for line in body if any(line in text for text in shown)]
    assert (shown[0], shown[-1]) == ("[base] read", "[base] loss 0.31")


def test_a_key_whose_end_never_comes_hides_no_more_than_its_length() -> None:
    redacted = LineRedactor({})
    redacted("-----BEGIN PRIVATE KEY-----")
    shown = [redacted(f"step {number}") for number in range(LONGEST_KEY + 1)]
    assert set(shown[:-1]) == {"***"}
    assert shown[-1] == f"step {LONGEST_KEY}"


def test_a_progress_bar_is_shown_while_it_moves() -> None:
    target = io.StringIO()
    RedactedStream(target, {}).write("step 1\rstep 2\rst")
    assert target.getvalue() == "step 1\rstep 2\r"


def test_threads_write_whole_lines() -> None:
    target = io.StringIO()
    stream = RedactedStream(target, {})
    threads = [
        threading.Thread(target=lambda: [stream.write("password=hunter2\n") for _ in range(200)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.getvalue() == "password=***\n" * 800


COMMAND = """
import logging, os, subprocess, sys, threading, warnings
from components.lib import cli
def main():
    value = os.environ["DB_PASSWORD"]
    {then}
cli.run(main)
"""


def output_of(then: str, value: str = "correct-horse") -> str:
    """Standard output and error of a command together."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND.format(then=then)],
        cwd=ROOT,
        env={**os.environ, "DB_PASSWORD": value},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "then",
    [
        "raise KeyError(f'no answer from x with {value}')",
        "logging.getLogger('a').warning('with %s', value)",
        "print('with', value)",
        "print('with', value, end='')",
        "sys.stderr.write(value[:6]); sys.stderr.flush(); sys.stderr.write(value[6:])",
        "sys.exit(f'with {value}')",
        "warnings.warn(f'with {value}')",
        "t = threading.Thread(target=exec, args=(value,)); t.start(); t.join(); exec(value)",
        "import argparse; argparse.ArgumentParser().parse_args(['--port', value])",
    ],
)
def test_no_stream_of_a_command_shows_a_secret(then: str) -> None:
    shown = output_of(then)
    assert "correct-horse" not in shown
    assert "***" in shown or "Traceback" in shown


def test_a_traceback_stays_readable() -> None:
    shown = output_of("raise KeyError('https://me:pw@host/x')")
    assert "Traceback (most recent call last)" in shown
    assert "KeyError: 'https://***@host/x'" in shown


def test_the_output_of_a_child_process_is_redacted_in_lines_and_tail(tmp_path: Path) -> None:
    script = (
        "import os; os.write(1, b'token=abc1'); os.write(2, b'23xyz\\n'); os.write(2, b'correct-horse\\n')"
    )
    child = ChildProcess(
        [sys.executable, "-c", script], {"PATH": os.environ["PATH"], "DB_PASSWORD": "correct-horse"}, tmp_path
    )
    lines: list[str] = []
    assert child.run(lines.append) == 0
    assert lines == list(child.tail) == ["token=***", "***"]


def test_a_child_is_read_while_it_is_waited_for(tmp_path: Path) -> None:
    script = "import os; os.write(2, b'token=abc123\\n' * 10000)"
    child = ChildProcess(
        [sys.executable, "-c", script], {"PATH": os.environ["PATH"]}, tmp_path, output=subprocess.PIPE
    )
    lines: list[str] = []
    with child, child.reading(lines.append):
        assert child.wait() == 0
    assert lines == ["token=***"] * 10000


@given(st.lists(st.sampled_from(CARRIERS), max_size=4), RANDOM_SECRETS)
def test_a_whole_text_and_its_lines_hide_the_same(carriers: list[str], secret: str) -> None:
    text = "\n".join(carrier.format(secret) for carrier in carriers)
    assert secret not in redact(text, {})
    assert secret not in written([text])
