"""Modules of ``components/lib/methods`` found by name, imported only when they are asked for.

A method, an optical teacher or a change method is found by its module's name: ``concord`` is in
``lib/methods/concord.py``, and ``sgsln``, which is a folder, declares itself in
``lib/methods/sgsln/method.py``. Nothing is listed here, so that a new method changes no file that the
training of another one depends on; the section `methods` of ``params.yaml`` is the list.
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
    from components.lib.change.training.method import ChangeMethod
    from components.lib.config.loader import Parameters
    from components.lib.methods.base import Method, Teacher
    from components.lib.nets.network import SegmentationNetwork

CONTROL = "none"
"""The method without a teacher, in the network and budget of the others: what they are compared with."""

_NO_METHODS = frozenset({"base", "registry"})


def method_names() -> tuple[str, ...]:
    """Return the names of all modules that declare something, sorted; none is imported."""
    found = iter_modules(components.lib.methods.__path__)
    return tuple(sorted(module.name for module in found if module.name not in _NO_METHODS))


def load_method(name: str) -> Method[Any]:
    """Return the method ``name``.

    Raises:
        ParameterError: If there is no such method, naming the nearest module.
    """
    method: Method[Any] | None = getattr(_module(name), "METHOD", None)
    if method is None:
        raise _unknown("method", name, "METHOD")
    return method


def load_teacher(kind: str) -> Teacher:
    """Return the optical teacher ``kind``.

    Raises:
        ParameterError: If there is no such teacher, naming the nearest module.
    """
    teacher: Teacher | None = getattr(_module(kind), "TEACHER", None)
    if teacher is None:
        raise _unknown("teacher", kind, "TEACHER")
    return teacher


def load_change(name: str) -> ChangeMethod[Any]:
    """Return the change method ``name``.

    Raises:
        ParameterError: If there is no such change method, naming the nearest module.
    """
    method: ChangeMethod[Any] | None = getattr(_module(name), "CHANGE", None)
    if method is None:
        raise _unknown("change method", name, "CHANGE")
    return method


def parameters_of(name: str) -> type[Parameters]:
    """Return the declaration of the section ``methods.<name>``, of whichever kind the method is.

    Raises:
        ParameterError: If the module declares neither a method nor a change method, naming the nearest.
    """
    module = _module(name)
    method = getattr(module, "METHOD", getattr(module, "CHANGE", None))
    if method is None:
        raise _unknown("method", name, "METHOD", "CHANGE")
    parameters: type[Parameters] = method.parameters
    return parameters


def own_network(kind: str) -> type[SegmentationNetwork]:
    """Return the network class that the method ``kind`` defines for itself.

    ``kind`` may come from a stored model that nobody vouches for: only modules of this package are imported.

    Raises:
        ParameterError: If no method defines such a network.
    """
    method: Method[Any] | None = getattr(_module(kind), "METHOD", None)
    if method is None or method.network is None:
        raise _unknown("network", kind, "METHOD")
    return method.network


def _module(name: str) -> ModuleType | None:
    if not name.isidentifier() or name in _NO_METHODS:
        return None
    path = f"{components.lib.methods.__name__}.{name}"
    spec = find_spec(path)
    if spec is None:
        return None
    return import_module(path if spec.submodule_search_locations is None else f"{path}.method")


def _unknown(what: str, name: str, *declared: str) -> ParameterError:
    """Return the error of a name; known ones are those whose modules have one of the names ``declared``."""
    names = [known for known in method_names() if any(hasattr(_module(known), one) for one in declared)]
    if name in method_names():
        spec = find_spec(f"{components.lib.methods.__name__}.{name}")
        is_folder = spec is not None and spec.submodule_search_locations is not None
        reason = f"components/lib/methods/{name}{'/method.py' if is_folder else '.py'} declares none"
    else:
        reason = f"the nearest known one is {get_close_matches(name, names, n=1, cutoff=0.0)[0]!r}"
    return ParameterError(
        f"unknown {what} {name!r}; {reason}",
        next_step=f"use one of {', '.join(names)}, or add components/lib/methods/<name>.py and the section "
        "methods.<name> of params.yaml",
    )
