"""Both descriptions of the parameters: comments of params.yaml, and docstrings of the sections' models."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel

from components.contract.parameters import SECTIONS

ROOT = Path(__file__).parent.parent
Model = type[BaseModel]

_KEY = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z_][\w-]*):(?P<rest>.*)$")
_ENTRY = re.compile(r"^    (\w+): ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Comment:
    """Documentation of one key in params.yaml.

    Attributes:
        own: The comment behind the key and those of the lines that continue it.
        above: The comment lines right above it.
    """

    own: str
    above: str

    @property
    def text(self) -> str:
        """Both together."""
        return f"{self.above} {self.own}".strip()


def document(path: Path = ROOT / "params.yaml") -> dict[str, Any]:
    """Return the parsed file."""
    loaded: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return loaded


def comments(text: str) -> dict[str, Comment]:
    """Return the comments of the keys that stand in a line of their own, by dotted name.

    Keys inside of braces have none: the mapping's key speaks for them.
    """
    found: dict[str, Comment] = {}
    names: list[tuple[int, str]] = []
    above: list[str] = []
    last: str | None = None
    for line in text.splitlines():
        stripped = line.strip()
        match = _KEY.match(line)
        if not stripped:
            above, last = [], None
        elif stripped.startswith("#"):
            words = stripped.lstrip("# ")
            deep = len(line) - len(line.lstrip()) > 20  # aligned with the comment that it continues
            if deep and last is not None:
                found[last] = Comment(f"{found[last].own} {words}", found[last].above)
            else:
                above.append(words)
        elif match:
            indent = len(match["indent"])
            names = [(depth, name) for depth, name in names if depth < indent] + [(indent, match["key"])]
            last = ".".join(name for _, name in names)
            found[last] = Comment(_comment_of(match["rest"]), " ".join(above))
            above = []
    return found


def _comment_of(rest: str) -> str:
    """Return what follows ``#`` outside of quotes."""
    match = re.match(r"""(?:[^"'#]|"[^"]*"|'[^']*')*?(?:^|\s)#\s?(.*)$""", rest)
    return match[1].strip() if match else ""


def section_models() -> dict[str, set[Model]]:
    """Return the models that read each section, found by the calls that name both.

    A call like ``load_parameters("optical", OpticalParameters)`` is such a place, with the profile first too.
    Sections of methods are declared by the method's module, ``orchestration`` by the orchestrator.
    """
    models: dict[str, set[Model]] = {}
    for path in sorted((ROOT / "components").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    args=[ast.Constant(value=str(section)), ast.Name(id=name), *_]
                    | [_, ast.Constant(value=str(section)), ast.Name(id=name), *_]
                ):
                    if section in SECTIONS and name[0].isupper() and not name.isupper():  # a class
                        models.setdefault(section, set()).add(_resolve(name, tree, path))
    for name in document().get("methods", {}):
        registry = import_module("components.lib.methods.registry")
        models[f"methods.{name}"] = {registry.parameters_of(name)}
    models["orchestration"] = {_class_named("Orchestration", ROOT / "dags")}
    return models


def _resolve(name: str, tree: ast.AST, path: Path) -> Model:
    """Return the class that ``name`` means in the module at ``path``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and name in {alias.name for alias in node.names}:
            found: Model = getattr(import_module(node.module), name)
            return found
    local: Model = getattr(import_module(_module_of(path, ROOT)), name)
    return local


def _class_named(name: str, folder: Path) -> Model:
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        if any(isinstance(node, ast.ClassDef) and node.name == name for node in tree.body):
            found: Model = getattr(import_module(_module_of(path, folder)), name)
            return found
    raise AssertionError(f"no class {name} below {folder}")


def _module_of(path: Path, folder: Path) -> str:
    return ".".join(path.relative_to(folder).with_suffix("").parts)


def fields_of(models: set[Model]) -> dict[str, Any]:
    """Return the fields of all models that read a section, by name."""
    return {name: field for model in models for name, field in model.model_fields.items()}


def described_fields(model: Model) -> set[str]:
    """Return the names that a class or its bases describe, under ``Attributes:`` or by a string behind."""
    names: set[str] = set()
    for base in model.__mro__:
        if not (issubclass(base, BaseModel) and base is not BaseModel):
            continue
        _, _, attributes = inspect.cleandoc(base.__doc__ or "").partition("Attributes:\n")
        names |= set(_ENTRY.findall(attributes))
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        assert isinstance(body, ast.ClassDef)
        for statement, after in zip(body.body, body.body[1:], strict=False):
            match statement, after:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str())):
                    names.add(name)
    return names


def plain(annotation: Any) -> Any:
    """Return ``annotation`` without ``None``, ``Annotated`` and the list around it."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return plain(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        inner = [part for part in get_args(annotation) if part is not NoneType]
        return plain(inner[0]) if len(inner) == 1 else annotation
    if origin in {list, tuple, set, frozenset}:
        return plain(get_args(annotation)[0])
    return annotation


def choices(annotation: Any) -> tuple[str, ...]:
    """Return the values of a ``Literal`` of strings, bare, optional or in a list; none for other types."""
    inner = plain(annotation)
    values = get_args(inner) if get_origin(inner) is Literal else ()
    return tuple(value for value in values if isinstance(value, str))


@dataclass(frozen=True, slots=True)
class Leaf:
    """A parameter.

    Attributes:
        name: Dotted name.
        value: In params.yaml.
        field: Declaration in the model, None if the key is unknown to it.
    """

    name: str
    value: Any
    field: Any


def leaves(name: str, value: Any, models: set[Model]) -> Iterator[Leaf]:
    """Yield the parameters of a section, nested models included; mappings that are values count as one."""
    fields = fields_of(models)
    if not isinstance(value, Mapping):
        return
    for key, inner in value.items():
        field = fields.get(key)
        kind = None if field is None else plain(field.annotation)
        if isinstance(kind, type) and issubclass(kind, BaseModel) and isinstance(inner, Mapping):
            yield from leaves(f"{name}.{key}", inner, {kind})
        else:
            yield Leaf(f"{name}.{key}", inner, field)


def nested_models(models: set[Model]) -> set[Model]:
    """Return the models and those of their fields, all the way down."""
    found = set(models)
    for field in fields_of(models).values():
        kind = plain(field.annotation)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= nested_models({kind})
    return found


def value_at(name: str, base: Mapping[str, Any]) -> Any:
    """Return what stands at a dotted name."""
    value: Any = base
    for key in name.split("."):
        value = value[key]
    return value
