"""Mutations of bytes and of JSON values, each a pure function of a random generator."""

from __future__ import annotations

import copy
from collections.abc import Callable
from random import Random
from typing import Any

Mutated = tuple[str, bytes]
"""Description of the mutation, and the bytes."""

_NUMBER_TEXTS = (b"1e400", b"-1e400", b"nan", b"NaN", b"inf", b"-0", b"99999999999999999999", b"0x10", b"1_0")
_INSERTED = (
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\r",
    b"\x1a",
    b"\xc3",
    b"\xe2\x80\xa8",
    b'"',
    b",",
)


def truncate(rng: Random, data: bytes) -> Mutated:
    """Cut the end off, sometimes all."""
    length = rng.choice((0, 1, len(data) // 2, max(0, len(data) - 1), rng.randrange(len(data) + 1)))
    return f"cut to {length} of {len(data)} bytes", data[:length]


def flip(rng: Random, data: bytes) -> Mutated:
    """Flip one to eight bits, mostly near the start, where headers are."""
    changed = bytearray(data)
    positions = []
    for _ in range(rng.choice((1, 1, 2, 8))):
        position = rng.randrange(min(len(data), 512) if rng.random() < 0.6 else len(data))
        changed[position] ^= 1 << rng.randrange(8)
        positions.append(position)
    return f"bits flipped in bytes {sorted(positions)}", bytes(changed)


def duplicate(rng: Random, data: bytes) -> Mutated:
    """Repeat a part in its place."""
    start, stop = _part(rng, data)
    return f"bytes {start} to {stop} twice", data[:stop] + data[start:stop] + data[stop:]


def splice(rng: Random, data: bytes) -> Mutated:
    """Put a part somewhere else over what is there."""
    start, stop = _part(rng, data)
    place = rng.randrange(len(data))
    return f"bytes {start} to {stop} copied to {place}", (
        data[:place] + data[start:stop] + data[place + stop - start :]
    )


def remove(rng: Random, data: bytes) -> Mutated:
    """Take a part out."""
    start, stop = _part(rng, data)
    return f"bytes {start} to {stop} taken out", data[:start] + data[stop:]


def insert(rng: Random, data: bytes) -> Mutated:
    """Insert NUL, byte order marks, line ends, broken UTF-8, quotes."""
    place = rng.choice((0, len(data), rng.randrange(len(data) + 1)))
    what = rng.choice(_INSERTED)
    return f"{what!r} at {place}", data[:place] + what + data[place:]


def line_ends(rng: Random, data: bytes) -> Mutated:
    """Write the lines as Windows or old Macs do, or with a byte order mark."""
    end = rng.choice((b"\r\n", b"\r", b"\n\n", b"\n\r"))
    mark = b"\xef\xbb\xbf" if rng.random() < 0.5 else b""
    return f"line ends {end!r}{' and a byte order mark' if mark else ''}", mark + data.replace(b"\n", end)


def another_encoding(rng: Random, data: bytes) -> Mutated:
    """Write text in another encoding, with a letter that is not ASCII in front of its end."""
    name = rng.choice(("utf-16", "utf-16-le", "utf-32", "cp1252", "utf-7"))
    text = data.decode("utf-8", errors="replace")
    return f"as {name}", text.encode(name, errors="replace")


def numbers(rng: Random, data: bytes) -> Mutated:
    """Replace one run of digits by a number that is huge, no number, or spelt oddly."""
    starts = [i for i in range(1, len(data)) if data[i : i + 1].isdigit() and not data[i - 1 : i].isdigit()]
    if not starts:
        return truncate(rng, data)
    start = rng.choice(starts)
    stop = start
    while stop < len(data) and (data[stop : stop + 1].isdigit() or data[stop : stop + 1] == b"."):
        stop += 1
    what = rng.choice(_NUMBER_TEXTS)
    return f"{data[start:stop]!r} at {start} is {what!r}", data[:start] + what + data[stop:]


def nothing_but(rng: Random, data: bytes) -> Mutated:
    """Replace everything: by nothing, blanks, NUL, noise, another format."""
    del data
    name, content = rng.choice(
        (
            ("empty", b""),
            ("one line end", b"\n"),
            ("blanks", b" " * 4096),
            ("NUL", b"\0" * 4096),
            ("noise", rng.randbytes(4096)),
            ("a ZIP file", b"PK\x03\x04" + rng.randbytes(200)),
            ("a GZIP header", b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + rng.randbytes(60)),
            ("a page", b"<!DOCTYPE html><html><body>404</body></html>"),
            ("a Git LFS pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"),
        )
    )
    return name, content


BINARY = (truncate, flip, duplicate, splice, remove, insert, nothing_but)
TEXT = (*BINARY, line_ends, another_encoding, numbers, numbers)


def mutate_bytes(rng: Random, data: bytes, kinds: tuple[Callable[[Random, bytes], Mutated], ...]) -> Mutated:
    """Apply one of ``kinds``, in one of ten cases two."""
    described, changed = rng.choice(kinds)(rng, data)
    if rng.random() < 0.1 and changed:
        more, changed = rng.choice(kinds)(rng, changed)
        described = f"{described}; {more}"
    return described, changed


ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    -(2**63) - 1,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    -0.0,
    0.5,
    "",
    " ",
    "0",
    "nan",
    "a" * 70_000,
    "\0",
    "\n",
    "../../etc/passwd",
    "é\u202e",
    "\ud800",
    [],
    {},
    [None],
    [[]],
    {"": None},
)
"""Values that a JSON or YAML document can hold and a schema seldom expects."""


def deep(depth: int) -> Any:
    """Return lists nested ``depth`` deep."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def mutate_value(rng: Random, value: Any, *, odd: tuple[Any, ...] = ODD_VALUES) -> tuple[str, Any]:
    """Change one place of a JSON value: replace, remove, rename, repeat, add, or nest."""
    changed = copy.deepcopy(value)
    places = list(_places(changed, ()))
    if not places:
        return "replaced whole", rng.choice(odd)
    path = rng.choice(places)
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    last = path[-1]
    where = ".".join(map(str, path))
    what = rng.choice(("replace", "replace", "replace", "remove", "rename", "wrap", "add"))
    if what == "replace":
        holder[last] = copy.deepcopy(rng.choice(odd))
        return f"{where} = {repr(holder[last])[:40]}", changed
    if what == "remove":
        del holder[last]
        return f"{where} removed", changed
    if what == "wrap":
        wrapped = rng.choice(([holder[last]], {"value": holder[last]}, str(holder[last])))
        holder[last] = wrapped
        return f"{where} wrapped as {type(wrapped).__name__}", changed
    if isinstance(holder, dict):
        name = str(last)
        new = rng.choice((name.upper(), name + " ", name[:-1], "\ufeff" + name, "extra", "__class__"))
        holder[new] = copy.deepcopy(holder[last])
        if what == "rename" and new != last:
            del holder[last]
        return f"{where} {what}d to {new!r}", changed
    holder.insert(int(last), copy.deepcopy(holder[last]))
    return f"{where} repeated", changed


def _places(value: Any, path: tuple[Any, ...]) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from _places(inner, (*path, key))


def _part(rng: Random, data: bytes) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(len(data), start + rng.choice((1, 2, 16, 64, 512)))
