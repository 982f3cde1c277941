"""YAML text as a value, read strictly and within bounds.

DVC reads YAML 1.2, PyYAML 1.1: ``1e-3`` is a number and ``no`` a word in the former, a word and a truth value
in the latter. Here plain scalars mean what they mean to DVC, and a duplicate key is an error, as it is there.
In a plain document (parameters, catalogue entries) a scalar on which the two versions disagree is refused,
since its author may have meant either, and so is what JSON cannot hold.

Depth, number of nodes with all aliases expanded, and length of a scalar are measured on the stream of events,
before anything is built: a few lines of aliases can stand for billions of nodes.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

# libyaml where PyYAML was built with it: every import of a DAG file reads these files.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_TAG = "tag:yaml.org,2002:"
_SCALARS = {
    f"{_TAG}bool": r"^(?:true|True|TRUE|false|False|FALSE)$",
    f"{_TAG}int": r"^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$",
    f"{_TAG}float": (
        r"^(?:[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+"
        r"|\.[0-9_]+(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN))$"
    ),
}
_AMBIGUOUS = {
    re.compile(r"^(?:yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$"): "write true or false, or quote the word",
    re.compile(r"^(?:<<|=)$"): "quote it",
    re.compile(r"^[-+]?0[0-9_]+$"): "write the number without leading zeros, or quote it",
    re.compile(r"^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$"): "write one number, or quote it",
}
"""Plain scalars that YAML 1.1 and 1.2 read as different values, and how to write what was meant."""

LARGEST_INTEGER = 2**63

_LINE_END = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_TAB_OR_COMMENT = re.compile(r"\t|(?:^|(?<=\s))#")


class _Loader(_Base):  # type: ignore[misc]
    """Parser and composer with YAML 1.2's plain scalars; nodes become values in :class:`_Builder`."""

    yaml_implicit_resolvers: dict[str, Any] = {  # noqa: RUF012 - PyYAML's own way to declare them
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _SCALARS]
        for first, resolvers in _Base.yaml_implicit_resolvers.items()
    }


for _tag, _pattern in _SCALARS.items():
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), list("-+.0123456789tTfF"))


class _Dumper(yaml.SafeDumper):
    """Writer that quotes text which YAML 1.1 or 1.2 would read as something else."""

    yaml_implicit_resolvers: dict[str, Any] = {  # noqa: RUF012 - PyYAML's own way to declare them
        first: list(resolvers) for first, resolvers in yaml.SafeDumper.yaml_implicit_resolvers.items()
    }


for _tag, _pattern in _SCALARS.items():
    _Dumper.add_implicit_resolver(_tag, re.compile(_pattern), list("-+.0123456789tTfF"))


def dump(value: Any) -> str:  # noqa: ANN401 - YAML holds any value
    """Return ``value`` (JSON values) as YAML that YAML 1.1 and 1.2 read alike, keys in their order."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


class YamlMistake(Exception):  # noqa: N818 - the author of a document made it; no error of ours
    """Mistake in a YAML document.

    Args:
        message: What is wrong.
        line: Line of the document, from 1; None if no line is to blame.
        name: Dotted name of the value, empty for the whole document.
    """

    def __init__(self, message: str, *, line: int | None = None, name: str = "") -> None:
        super().__init__(message)
        self.message, self.line, self.name = message, line, name


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on a document.

    Attributes:
        size: Bytes.
        nodes: Scalars, lists and mappings, each alias counted with all that it stands for.
        depth: Levels of lists and mappings.
        scalar: Characters of one scalar.
    """

    size: int = 1 << 20
    nodes: int = 100_000
    depth: int = 50
    scalar: int = 10_000


DVC_LOCK = Limits(size=64 << 20, nodes=2_000_000, scalar=1 << 20)
"""Bounds on ``dvc.lock`` and entries of DVC's run cache, which repeat every parameter and hash of a stage."""


def parse(text: str, limits: Limits, *, plain: bool) -> Any:  # noqa: ANN401 - YAML holds any value
    """Return the value of the one document in ``text``, None for an empty one.

    Args:
        text: The document.
        limits: Bounds on it.
        plain: True refuses keys that are no text, numbers that are not finite, dates, tabs between values,
            and plain scalars on which YAML 1.1 and 1.2 disagree.

    Raises:
        YamlMistake: If it is not YAML, exceeds a bound, has a key twice, or holds what is refused.
    """
    try:
        _measure(text, limits)
        if plain and "\t" in text:
            _refuse_tabs(text)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = ": ".join(filter(None, (error.context, error.problem))) or "it cannot be parsed"
        raise YamlMistake(f"it is not valid YAML: {what}", line=_line(mark)) from error
    except yaml.YAMLError as error:
        what = (str(error).strip() or "it cannot be parsed").splitlines()[0]
        raise YamlMistake(f"it is not valid YAML: {what}") from error
    return None if node is None else _Builder(plain=plain).value(node, "")


def _measure(text: str, limits: Limits) -> None:
    """Raise where the document exceeds a bound."""
    measured = _Measured(limits)
    for event in yaml.parse(text, Loader=_Loader):
        try:
            measured.take(event)
        except YamlMistake as mistake:
            mistake.line = _line(event.start_mark)
            raise


def _refuse_tabs(text: str) -> None:
    """Raise for a tab outside of quoted text, blocks of text and comments: DVC's reader takes none there."""
    scalars: Iterator[Any] = (event for event in yaml.parse(text, Loader=_Loader) if _is_marked(event))
    marks = [(scalar.start_mark, scalar.end_mark) for scalar in scalars]
    spans = [((first.line, first.column), (last.line, last.column)) for first, last in marks]

    def inside(line: int, column: int) -> bool:
        before = bisect_right(spans, ((line, column), (len(text), 0))) - 1
        return before >= 0 and (line, column) < spans[before][1]

    for number, line in enumerate(_LINE_END.split(text)):
        for found in _TAB_OR_COMMENT.finditer(line):
            if inside(number, found.start()):
                continue
            if found.group() == "#":
                break
            raise YamlMistake("a tab stands between values: write blanks, or quote the text", line=number + 1)


def _is_marked(event: Any) -> bool:  # noqa: ANN401 - PyYAML is not typed
    """Return True for a text in quotes or in a block."""
    return isinstance(event, yaml.ScalarEvent) and bool(event.style)


class _Measured:
    """Size of a document, event by event."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._nodes = 0
        self._open: list[tuple[str | None, int]] = []
        self._sizes: dict[str, int] = {}

    def take(self, event: Any) -> None:  # noqa: ANN401 - PyYAML is not typed
        """Count one event; raise if a bound is exceeded."""
        match event:
            case yaml.DocumentStartEvent():
                if event.version and tuple(event.version) != (1, 2):
                    raise YamlMistake("%YAML 1.1 is not read: remove the line, it is YAML 1.2")
            case yaml.CollectionStartEvent():
                self._open.append((event.anchor, self._nodes))
                self._nodes += 1
                if len(self._open) > self._limits.depth:
                    raise YamlMistake(f"it is nested deeper than {self._limits.depth} levels")
            case yaml.CollectionEndEvent():
                self._keep(*self._open.pop())
            case yaml.ScalarEvent():
                self._nodes += 1
                self._keep(event.anchor, self._nodes - 1)
                if len(event.value) > self._limits.scalar:
                    raise YamlMistake(f"a value is longer than {self._limits.scalar} characters")
            case yaml.AliasEvent():
                self._nodes += self._size_of(event.anchor)
        if self._nodes > self._limits.nodes:
            raise YamlMistake(f"it holds more than {self._limits.nodes} values, with its aliases expanded")

    def _keep(self, anchor: str | None, before: int) -> None:
        if anchor:
            self._sizes[anchor] = self._nodes - before

    def _size_of(self, anchor: str | None) -> int:
        if anchor is None or anchor not in self._sizes:
            raise YamlMistake(f"alias *{str(anchor)[:40]} stands for nothing that is complete before it")
        return self._sizes[anchor]


class _Builder:
    """Builder of values from nodes; those that an alias repeats are built once."""

    def __init__(self, *, plain: bool) -> None:
        self._plain = plain
        self._built: dict[int, Any] = {}

    def value(self, node: Any, name: str) -> Any:  # noqa: ANN401 - PyYAML is not typed
        """Return the value of ``node``, which has the dotted name ``name``."""
        if id(node) not in self._built:
            self._built[id(node)] = self._new(node, name)
        return self._built[id(node)]

    def _new(self, node: Any, name: str) -> Any:  # noqa: ANN401
        kind = node.tag.removeprefix(_TAG)
        match node:
            case yaml.MappingNode() if kind == "map":
                return self._mapping(node, name)
            case yaml.SequenceNode() if kind == "seq":
                return [self.value(item, f"{name}[{index}]") for index, item in enumerate(node.value)]
            case yaml.ScalarNode():
                return self._scalar(node, kind, name)
        raise self._refusal(node, name, f"the tag {node.tag[:40]} is not read here")

    def _mapping(self, node: Any, name: str) -> dict[Any, Any]:  # noqa: ANN401
        own: dict[Any, Any] = {}
        inherited: dict[Any, Any] = {}
        lines: dict[Any, int | None] = {}
        for key_node, value_node in node.value:
            merge = key_node.tag == f"{_TAG}merge"
            key = "<<" if merge else self._key(key_node, name)
            line = _line(key_node.start_mark)
            if (type(key), key) in lines:
                raise YamlMistake(
                    f"the key {str(key)[:40]!r} stands there twice, first in line {lines[type(key), key]}",
                    line=line,
                    name=name,
                )
            lines[type(key), key] = line
            if merge:
                inherited = self._inherited(value_node, name)
            else:
                own[key] = self.value(value_node, f"{name}.{str(key)[:40]}".lstrip("."))
        return {**inherited, **own}

    def _key(self, node: Any, name: str) -> Any:  # noqa: ANN401
        if not isinstance(node, yaml.ScalarNode):
            raise self._refusal(node, name, "a key must be a word, not a list or a mapping")
        key = self.value(node, name)
        if self._plain and not isinstance(key, str):
            raise self._refusal(node, name, f"the key {node.value[:40]} is no text: quote it")
        return key

    def _inherited(self, node: Any, name: str) -> dict[Any, Any]:  # noqa: ANN401
        """Return what ``<<`` merges in: the first of several mappings wins."""
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not all(isinstance(item, yaml.MappingNode) for item in nodes):
            raise self._refusal(node, name, "<< needs a mapping, or a list of mappings")
        found: dict[Any, Any] = {}
        for item in reversed(nodes):
            found |= self.value(item, name)
        return found

    def _scalar(self, node: Any, kind: str, name: str) -> Any:  # noqa: ANN401
        text = node.value
        if self._plain and not node.style:
            for pattern, advice in _AMBIGUOUS.items():
                if pattern.match(text):
                    raise self._refusal(node, name, f"{text[:40]} has two meanings in YAML: {advice}")
        match kind:
            case "str" | "value" | "merge":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" | "float":
                return self._number(node, kind, name)
            case "timestamp" if not self._plain:
                return text  # DVC writes a date as it stands there
            case "timestamp":
                raise self._refusal(node, name, f"{text[:40]} is a date: quote it")
        raise self._refusal(node, name, f"the tag {node.tag[:40]} is not read here")

    def _number(self, node: Any, kind: str, name: str) -> int | float:  # noqa: ANN401
        text = node.value.replace("_", "")
        try:
            if kind == "int":
                integer = int(text, 0) if re.match(r"[-+]?0[box]", text) else int(text, 10)
                if abs(integer) < LARGEST_INTEGER:
                    return integer
                raise self._refusal(node, name, "a whole number of more than 64 bits")
            number = float(re.sub(r"\.(?=inf|nan)", "", text.lower()))
        except ValueError as error:
            raise self._refusal(node, name, f"{node.value[:40]} is no number") from error
        if self._plain and not math.isfinite(number):
            raise self._refusal(node, name, f"{node.value[:40]} is no finite number")
        return number

    @staticmethod
    def _refusal(node: Any, name: str, message: str) -> YamlMistake:  # noqa: ANN401
        return YamlMistake(message, line=_line(node.start_mark), name=name)


def _line(mark: Any) -> int | None:  # noqa: ANN401
    return None if mark is None else int(mark.line) + 1
