"""Judgements: what a reader did with one hostile input, and whether that was allowed."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

NAMED_CODES = (65, 66, 69, 71, 77, 78)
"""Exit codes of the failure classes that a user can act on (components/contract/errors.py)."""

TRACEBACK = "Traceback (most recent call last)"

LONGEST_MESSAGE = 20_000
"""Characters of stderr; a longer refusal echoes its input."""


class Outcome(StrEnum):
    """Result of one judgement."""

    REFUSED = "refused"
    QUARANTINED = "quarantined"
    ACCEPTED = "accepted"
    BREACH = "breach"


@dataclass(frozen=True, slots=True)
class Ended:
    """End of a child process.

    Attributes:
        code: Exit code; negative: the signal that ended it; None: stopped at the time limit.
        seconds: Wall-clock time it ran.
        stdout: Standard output, decoded leniently.
        stderr: Standard error, decoded leniently.
    """

    code: int | None
    seconds: float
    stdout: str
    stderr: str

    def flaw(self) -> str | None:
        """Return what is wrong with this end whatever the input was, or None.

        A traceback, a signal, the time limit, an exit code of no class, or a refusal without words.
        """
        if self.code is None:
            return f"hang: stopped after {self.seconds:.0f} s"
        if self.code < 0:
            return f"crash: signal {-self.code}"
        if TRACEBACK in self.stderr:
            return f"traceback: {last_line(self.stderr)}"
        if self.code == 0:
            return None
        if self.code not in NAMED_CODES:
            return f"exit {self.code}: {last_line(self.stderr)}"
        if "\nerror: " not in f"\n{self.stderr}" or "next step: " not in self.stderr:
            return f"exit {self.code} without error and next step"
        if len(self.stderr) > LONGEST_MESSAGE:
            return f"message of {len(self.stderr)} characters"
        return None

    @property
    def message(self) -> str:
        """The refusal's text, from the line that begins with ``error:`` on."""
        return self.stderr[f"\n{self.stderr}".rfind("\nerror: ") :] if self.code else ""

    def names(self, *words: str) -> bool:
        """Return True if the refusal's text has one of ``words``."""
        return any(word in self.message for word in words)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One input judged.

    Attributes:
        reader: What read it.
        seed: Seed that draws it again.
        mutation: What was done to the valid input.
        outcome: What happened.
        reason: In words; for a breach what is wrong.
        seconds: Time the reader took.
        kills: SIGKILLs that the command got before it was let run.
    """

    reader: str
    seed: int
    mutation: str
    outcome: Outcome
    reason: str
    seconds: float
    kills: int = 0

    @property
    def kind(self) -> str:
        """Breaches alike: the reason without numbers, quotes and paths."""
        text = re.sub(r"0x[0-9a-f]+|'[^']*'|\"[^\"]*\"|/[\w./-]+", "_", self.reason.split("\n")[0])
        return re.sub(r"-?\d+(\.\d+)?", "#", text)[:100]

    @property
    def reproduction(self) -> str:
        """Command that judges this input again."""
        return f"python -m tests.campaign --reader {self.reader} --one {self.seed} --keep /tmp/chaos"

    def document(self) -> dict[str, Any]:
        """Return the judgement as JSON values."""
        return {**asdict(self), "outcome": str(self.outcome), "reproduction": self.reproduction}


def last_line(text: str) -> str:
    """Return the last line of a text that says something, at most 200 characters."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no output"


def judged(
    reader: str,
    seed: int,
    mutation: str,
    ended: Ended,
    *,
    names: tuple[str, ...],
    accepted: str | None,
    left: str | None = None,
) -> Judgement:
    """Judge one process by the rules that hold for all readers.

    Args:
        reader: Name of the reader.
        seed: Seed of the input.
        mutation: Its description.
        ended: End of the process.
        names: Words of which a refusal must have one.
        accepted: What is wrong if it was accepted: another result than the right one; None: nothing.
        left: What a refusal left behind and must not have; None: nothing.
    """
    flaw = ended.flaw()
    if flaw is None and ended.code == 0:
        flaw = accepted
    elif flaw is None and not ended.names(*names):
        flaw = f"refused without naming {names[0]}: {last_line(ended.message.split('next step:')[0])}"
    flaw = flaw or left
    if flaw is not None:
        return Judgement(reader, seed, mutation, Outcome.BREACH, flaw, ended.seconds)
    outcome = Outcome.ACCEPTED if ended.code == 0 else Outcome.REFUSED
    return Judgement(reader, seed, mutation, outcome, ended.message[:200], ended.seconds)
