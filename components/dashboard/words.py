"""Words and numbers as pages show them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from components.contract.hashing import sha256_bytes

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

_OLDEST = datetime(1970, 1, 1, tzinfo=UTC)

NONE = "not recorded"


def slug(*names: str) -> str:
    """Return a name of a file for names from outside: they themselves where plain, else their hash.

    >>> slug("stormsight-sar", "1"), slug("../x")
    ('stormsight-sar-1', 'x-d6c63fab0300d505')
    """
    joined = "-".join(names)
    # A joined name that could be read in two ways, or as a way out of the folder, is none.
    if _PLAIN.fullmatch(joined) and ".." not in joined and not joined.startswith("x-"):
        return joined
    return f"x-{sha256_bytes(repr(names).encode('utf-8', 'backslashreplace'))[:16]}"


def when(time: datetime | str | None) -> str:
    """Return a time to the minute, UTC.

    >>> when("2026-11-29T17:07:57+00:00"), when(None), when("soon")
    ('2026-11-29 17:07 UTC', 'not recorded', 'soon')
    """
    if time is None or time == "":
        return NONE
    if isinstance(time, str):
        try:
            return when(datetime.fromisoformat(time))
        except ValueError:
            return time
    if time.tzinfo is not None:
        try:
            time = time.astimezone(UTC)
        except OverflowError:  # at an end of the calendar
            return NONE
    return NONE if time.replace(tzinfo=UTC) <= _OLDEST else f"{time:%Y-%m-%d %H:%M} UTC"


def duration(seconds: float | None) -> str:
    """Return a duration in its two largest units.

    >>> [duration(n) for n in (0.4, 42, 61, 3720, 200000, None)]
    ['0.4 s', '42 s', '1 min 1 s', '1 h 2 min', '2 d 7 h', 'not recorded']
    """
    if seconds is None:
        return NONE
    if seconds < 10:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    for unit, name, below, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit:
            rest = whole % unit // below
            return f"{whole // unit} {name}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def score(value: float | None) -> str:
    """Return a score with three decimals.

    >>> score(0.16052), score(None)
    ('0.161', 'no score')
    """
    return "no score" if value is None else f"{value:.3f}"


def effect(value: float) -> str:
    """Return a difference in standard deviations, with its sign.

    >>> effect(2.0), effect(-0.125), effect(1.9e99)
    ('+2.00', '-0.12', '+1.9e+99')
    """
    return f"{value:+.2f}" if abs(value) < 1e6 else f"{value:+.3g}"


def percent(share: float) -> str:
    """Return a share in percent.

    >>> percent(0.05), percent(0.0012)
    ('5 %', '0.12 %')
    """
    return f"{100 * share:.3g} %"


def short(digest: str) -> str:
    """Return the first twelve characters of a hash.

    >>> short("0123456789abcdef"), short("")
    ('0123456789ab', 'not recorded')
    """
    return digest[:12] or NONE


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "tile"), counted(1200, "tile")
    ('1 tile', '1,200 tiles')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
