"""Check of the methods' own sections against the parameters that their modules declare, and of the encoder.

These modules import torch, which takes seconds. So what passed is remembered by its hash, in a file that may
be removed at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import components.lib.methods
from components.check.findings import Findings
from components.contract.errors import ParameterError, ResourceError
from components.contract.hashing import sha256_folder, sha256_json
from components.lib.change.terms import BANDS
from components.lib.config.loader import validated
from components.lib.files import write_text
from components.lib.methods.registry import load_change, load_method, load_teacher, parameters_of

PASSED = Path("var/check/methods.sha256")
"""Hash of the sections and the modules that passed last."""

Sections = Mapping[str, Any]


def check_methods(sections: Sections, root: Path, findings: Findings) -> None:
    """Check every method's section, every teacher, and that the methods have the teachers they need.

    Args:
        sections: The sections, whose names are checked already.
        root: Folder of ``params.yaml``, below which the hash of what passed is kept.
        findings: Takes what is wrong.
    """
    key = _key(sections)
    with suppress(OSError, UnicodeDecodeError):
        if (root / PASSED).read_text(encoding="utf-8") == key:
            return
    before = len(findings.errors)
    try:
        _check(sections, root / "params.yaml", findings)
    except ModuleNotFoundError as error:
        if str(error.name).split(".", maxsplit=1)[0] == "components":
            raise
        findings.warnings.append(f"sections of methods are not checked: {error.name} is not installed here")
        return
    if len(findings.errors) == before:
        with suppress(OSError, ResourceError):  # it only saves time
            write_text(root / PASSED, key)


def _check(sections: Sections, params: Path, findings: Findings) -> None:
    for name, section in sections["methods"].items():
        with findings.collecting():
            validated(f"methods.{name}", parameters_of(name), section, params)
    with findings.collecting():
        from components.lib.nets.encoders import create_encoder  # noqa: PLC0415 - imports torch

        create_encoder(sections["training"]["encoder"], in_channels=3, weights=None)
    kinds = sections["optical"]["kinds"]
    for kind in dict.fromkeys([*kinds, *sections["pretrain"]["kinds"]]):
        with findings.collecting():
            load_teacher(kind)
    for name in sections["change"]["methods"]:
        with findings.collecting():
            _build_change(name, sections, params)
    for name in sections["distill"]["methods"]:
        with findings.collecting():
            method = load_method(name)
            method.require_task(sections["prepare"].get("task", "buildings"))
            teacher = method.teacher
            if teacher is not None and teacher not in kinds:
                raise ParameterError(
                    f"distill.methods: {name} needs the teacher {teacher}, which optical.kinds does not list",
                    next_step=f"add {teacher} to optical.kinds",
                )


def _build_change(name: str, sections: Sections, params: Path) -> None:
    """Build the network of a change method as its training would, for images of any statistics.

    A wrong section of the method is told apart, and builds none.
    """
    from components.lib.change.nets.bundle import build_change  # noqa: PLC0415 - imports torch
    from components.lib.change.nets.config import ChangeConfig, DateConfig  # noqa: PLC0415

    method = load_change(name)
    parameters = validated(f"methods.{name}", method.parameters, sections["methods"][name], params)
    before, after = (
        DateConfig.of(
            modality, sensor="any", mean=(0.0,) * len(BANDS[modality]), std=(1.0,) * len(BANDS[modality])
        )
        for modality in (sections["change"]["before"], sections["change"]["after"])
    )
    config = ChangeConfig(kind=name, before=before, after=after, **method.network_options(parameters))
    build_change(config)


def _key(sections: Sections) -> str:
    code = sha256_folder(Path(next(iter(components.lib.methods.__path__))))
    names = {
        "kinds": [sections[stage]["kinds"] for stage in ("optical", "pretrain")],
        "methods": sections["distill"]["methods"],
        "change": [sections["change"][key] for key in ("methods", "before", "after")],
        "encoder": sections["training"]["encoder"],
        "task": sections["prepare"].get("task"),
    }
    return sha256_json({"code": code, "sections": sections["methods"], **names})
