"""Modules of ``components/lib/methods`` found by name, imported only when they are asked for.

A method or an optical teacher is found by its module's name: ``concord`` is in ``lib/methods/concord.py``.
Nothing is listed here, so that a new method changes no file that the training of another one depends on; the
section `methods` of ``params.yaml`` is the list.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType
from typing import TYPE_CHECKING, Any

import components.lib.methods
from components.contract.errors import ParameterError

if TYPE_CHECKING:
    from components.lib.methods.base import Method, Teacher
    from components.lib.nets.network import SegmentationNetwork

CONTROL = "none"
"""The method without a teacher, in the network and budget of the others: what they are compared with."""

_NO_METHODS = frozenset({"base", "registry"})


def method_names() -> tuple[str, ...]:
    """Return the names of all modules that declare a method or a teacher, sorted; none is imported."""
    found = iter_modules(components.lib.methods.__path__)
    return tuple(sorted(module.name for module in found if module.name not in _NO_METHODS))


def load_method(name: str) -> Method[Any]:
    """Return the method ``name``.

    Raises:
        ParameterError: If there is no such method, naming the nearest module.
    """
    method: Method[Any] | None = getattr(_module(name), "METHOD", None)
    if method is None:
        raise _unknown("method", name)
    return method


def load_teacher(kind: str) -> Teacher:
    """Return the optical teacher ``kind``.

    Raises:
        ParameterError: If there is no such teacher, naming the nearest module.
    """
    teacher: Teacher | None = getattr(_module(kind), "TEACHER", None)
    if teacher is None:
        raise _unknown("teacher", kind)
    return teacher


def own_network(kind: str) -> type[SegmentationNetwork]:
    """Return the network class that the method ``kind`` defines for itself.

    ``kind`` may come from a stored model that nobody vouches for: only modules of this package are imported.

    Raises:
        ParameterError: If no method defines such a network.
    """
    method: Method[Any] | None = getattr(_module(kind), "METHOD", None)
    if method is None or method.network is None:
        raise _unknown("network", kind)
    return method.network


def _module(name: str) -> ModuleType | None:
    if not name.isidentifier() or name in _NO_METHODS:
        return None
    path = f"{components.lib.methods.__name__}.{name}"
    return None if find_spec(path) is None else import_module(path)


def _unknown(what: str, name: str) -> ParameterError:
    names = method_names()
    if name in names:
        reason = f"components/lib/methods/{name}.py declares none"
    else:
        reason = f"the nearest known one is {get_close_matches(name, names, n=1, cutoff=0.0)[0]!r}"
    return ParameterError(
        f"unknown {what} {name!r}; {reason}",
        next_step=f"use one of {', '.join(names)}, or add components/lib/methods/<name>.py and the section "
        "methods.<name> of params.yaml",
    )
