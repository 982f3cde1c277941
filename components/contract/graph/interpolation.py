"""Expressions ``${...}`` of ``dvc.yaml``, resolved by DVC's rules (dvc/parsing, 3.67)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from shlex import quote
from typing import Any, NamedTuple

from components.contract.documents import nearest, shown
from components.contract.errors import ParameterError

_EXPRESSION = re.compile(r"(?<!\\)\$\{(?P<inner>.*?)\}")

Values = Mapping[str, Any]
"""Values that expressions may name: the parameters, ``vars``, and ``item`` and ``key`` inside a loop."""


def is_collection(value: object) -> bool:
    """Return ``True`` for a mapping or a list, which cannot be written into a path."""
    return isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, str))


def to_text(value: object) -> str:
    """Return ``value`` as DVC writes it into a name or a path."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def select(expression: str, values: Values, where: str) -> Any:  # noqa: ANN401 - parameters hold any value
    """Return the value that ``a.b[0]`` names.

    Raises:
        ParameterError: If there is no such value; names ``where`` and the nearest existing key.
    """
    found: Any = values
    for part in re.split(r"[.\[]", expression.replace("]", "")):
        key = part.strip()
        try:
            found = found[key] if isinstance(found, Mapping) else found[int(key)]
        except (LookupError, TypeError, ValueError):
            known = [str(k) for k in found] if isinstance(found, Mapping) else []
            raise ParameterError(
                f"{where}: ${{{expression}}} names no parameter ({key!r} not found{nearest(key, known)})",
                next_step="correct the expression in dvc.yaml, or add the parameter to params.yaml",
            ) from None
    return found


def resolve(value: Any, values: Values, where: str, *, command: bool = False) -> Any:  # noqa: ANN401
    """Return ``value`` with every expression in it replaced.

    Args:
        value: Text, a list or a mapping out of ``dvc.yaml``.
        values: What expressions may name.
        where: The stage and field, for messages.
        command: Whether this is a command, into which DVC writes a mapping as options.

    Raises:
        ParameterError: If an expression names nothing, or a collection where DVC wants one value.
    """
    if isinstance(value, Mapping):
        return {
            resolve(key, values, where): resolve(item, values, where, command=command)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [resolve(item, values, where, command=command) for item in value]
    if not isinstance(value, str):
        return value
    whole = _EXPRESSION.fullmatch(value)
    if whole and "${" not in whole["inner"]:
        selected = select(whole["inner"], values, where)
        return selected if not is_collection(selected) else _text(selected, where, value, command=command)
    written = _EXPRESSION.sub(
        lambda match: _text(select(match["inner"], values, where), where, value, command=command), value
    )
    return written.replace("\\${", "${")


def _text(value: Any, where: str, source: str, *, command: bool) -> str:  # noqa: ANN401
    if command and isinstance(value, Mapping):
        return _options(value)
    if is_collection(value):
        raise ParameterError(
            f"{where}: {source!r} names a collection where one value is needed",
            next_step="name one of its members, or loop over it with foreach",
        )
    return to_text(value)


def _options(mapping: Mapping[str, Any], prefix: str = "") -> str:
    """A mapping as command line options, DVC's default style."""
    words: list[str] = []
    for key, value in mapping.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            words.append(_options(value, f"{name}."))
        elif isinstance(value, bool):
            words += [f"--{name}"] if value else []
        elif is_collection(value):
            words += [f"--{name}", *(quote(v) if isinstance(v, str) else str(v) for v in value)]
        else:
            words += [f"--{name}", quote(value) if isinstance(value, str) else str(value)]
    return " ".join(word for word in words if word)


class Member(NamedTuple):
    """One value of a loop, and its text in the stage's address."""

    value: Any
    text: str


def loop_items(source: Any, values: Values, where: str) -> dict[str, Values]:  # noqa: ANN401
    """Return the values that each turn of a ``foreach`` adds, by the key in its address."""
    items = _collection(source, values, where)
    if isinstance(items, Mapping):
        return {to_text(key): {"item": item.value, "key": to_text(key)} for key, item in items.items()}
    if any(is_collection(item.value) for item in items):
        return {str(index): {"item": item.value} for index, item in enumerate(items)}
    return {item.text: {"item": item.value} for item in items}


def matrix_items(source: Any, values: Values, where: str) -> dict[str, Values]:  # noqa: ANN401
    """Return the values that each combination of a ``matrix`` adds, by the key in its address."""
    if not isinstance(source, Mapping):
        raise ParameterError(f"{where}: must map names to lists", next_step="write name: [value, ...]")
    axes = [
        [(name, *turn) for turn in _axis(axis, name, values, f"{where} {name}")]
        for name, axis in source.items()
    ]
    turns: dict[str, Values] = {}
    for combination in product(*axes):
        key = "-".join(text for _, _, text in combination)
        turns[key] = {"item": {name: value for name, value, _ in combination}, "key": key}
    return turns


def _axis(source: Any, name: str, values: Values, where: str) -> Iterator[Member]:  # noqa: ANN401
    """One dimension of a matrix; members that are collections are named by their place."""
    members = _collection(source, values, where)
    if isinstance(members, Mapping):
        raise ParameterError(f"{where}: expected a list, got a mapping", next_step="write [value, ...]")
    for index, member in enumerate(members):
        yield Member(member.value, f"{name}{index}") if is_collection(member.value) else member


def _collection(
    source: Any,  # noqa: ANN401
    values: Values,
    where: str,
) -> dict[str, Member] | list[Member]:
    """A list or mapping to loop over, itself resolved."""
    expression = _EXPRESSION.fullmatch(source) if isinstance(source, str) else None
    found = select(expression["inner"], values, where) if expression else source
    if not is_collection(found):
        raise ParameterError(
            f"{where}: expected a list or a mapping, got {shown(found)}",
            next_step="name a list or a mapping of params.yaml",
        )

    def member(item: Any) -> Member:  # noqa: ANN401
        inner = _EXPRESSION.fullmatch(item) if isinstance(item, str) and not expression else None
        if expression or inner:
            value = select(inner["inner"], values, where) if inner else item
            # DVC names a truth value of params.yaml by Python's word, a literal one by YAML's.
            return Member(value, str(value))
        value = resolve(item, values, where)
        return Member(value, to_text(value))

    if isinstance(found, Mapping):
        return {key: member(item) for key, item in found.items()}
    return [member(item) for item in found]
