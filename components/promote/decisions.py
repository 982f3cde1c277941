"""Decisions saved before they are carried out, so that a repeated attempt carries out the same ones.

A stage that is killed after it moved an alias is run again, and would then judge the new champion against
itself and refuse it. The decisions on all models are therefore kept before the first alias moves: where the
orchestrator names the training (``STORMSIGHT_TRAINING``), once in its object store; otherwise below ``var``,
for the same inputs and as long as the ledger stands where the decisions were made, or where they brought it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.contract.errors import BadDataError
from components.contract.hashing import seal, sha256_json
from components.contract.keys import decisions_key
from components.lib.files import atomic_file
from components.lib.objects.opening import objects_from_environment
from components.lib.objects.sealed import create_sealed, parse_sealed, read_sealed
from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.ledger import head_of

TRAINING = "STORMSIGHT_TRAINING"
"""Environment variable: prefix of the training's results in the object store, ``work/<key>``."""

LOCAL = Path("var/promote/decisions.json")
"""File of the decisions of a user's own run on building models, relative to the working directory."""


def local_file(name: str) -> Path:
    """Return the file of the decisions of the gate ``name``, the empty one being that on building models."""
    return LOCAL.with_stem(f"{LOCAL.stem}-{name}") if name else LOCAL


Decisions = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Saved:
    """Content of saved decisions.

    Attributes:
        models: Decision by registered model.
        inputs: SHA-256 of all that they were made from; empty under a training's key, which says it.
        completed: True once their report was written.
    """

    models: Decisions
    inputs: str = ""
    completed: bool = False

    def record(self) -> dict[str, Any]:
        return {"models": self.models, "inputs": self.inputs, "completed": self.completed}


class SavedDecisions:
    """Decisions of one attempt.

    Args:
        inputs: JSON values that name all that the decisions are made from.
        registries: Champion by registered model.
        report: File that the stage leaves last.
        name: Name of the gate, of which a pipeline may have several; empty for that on building models.
    """

    def __init__(
        self,
        inputs: Mapping[str, Any],
        registries: Mapping[str, ChampionRegistry],
        report: Path,
        name: str = "",
    ) -> None:
        self._inputs = sha256_json(inputs)
        self._registries = registries
        self._report = report
        prefix = os.environ.get(TRAINING)
        self._key = decisions_key(prefix, name) if prefix else None
        self._file = local_file(name)

    def load_or_save(self, judge: Callable[[str], dict[str, Any]]) -> Decisions:
        """Return the decisions that stand: those of the first attempt that got so far.

        Args:
            judge: Function that makes the decision on a model.

        Raises:
            BadDataError: If the decisions saved under a training's key are damaged.
            SourceUnavailableError: If the object store does not answer.
        """
        if self._key is None:
            known = self._local()
            made = self._completed({} if known is None else known.models, judge)
            if known is None or known.models != made:
                self._write(_Saved(models=made, inputs=self._inputs))
            return made
        training = os.environ[TRAINING]
        objects = objects_from_environment()
        known = read_sealed(objects, self._key, _Saved) if objects.exists(self._key) else _Saved(models={})
        if set(known.models) == set(self._registries):
            return known.models
        made = self._completed(known.models, lambda model: {**judge(model), "training": training})
        record = _Saved(models=made).record()
        if known.models:  # an earlier attempt dropped a decision, which this one replaces
            objects.put(self._key, seal(record))
        else:
            create_sealed(objects, self._key, record)
        return read_sealed(objects, self._key, _Saved).models

    def _completed(self, known: Decisions, judge: Callable[[str], dict[str, Any]]) -> Decisions:
        return {model: known[model] if model in known else judge(model) for model in self._registries}

    def complete(self, decisions: Decisions) -> None:
        """Note that the report was written: a further run by hand judges anew."""
        if self._key is None:
            self._write(_Saved(models=decisions, inputs=self._inputs, completed=True))

    def keep_only(self, decisions: Decisions) -> None:
        """Drop all other decisions: their champion changed before they were carried out.

        The next attempt judges these models anew. What it decided on the others stands: a challenger that was
        promoted would otherwise be judged against itself.
        """
        if self._key is None:
            self._write(_Saved(models=decisions, inputs=self._inputs))
            return
        objects = objects_from_environment()
        if decisions:
            objects.put(self._key, seal(_Saved(models=decisions).record()))
        else:
            objects.delete(self._key)

    def _local(self) -> _Saved | None:
        """Return the decisions of an attempt with the same inputs that was cut off; None if there is none.

        DVC removes a stage's outputs before it runs it: where the report is gone although it was written, DVC
        was cut off before it took note, and asks for the same again.
        """
        try:
            saved = parse_sealed(self._file.read_bytes(), _Saved, name=str(self._file))
        except (FileNotFoundError, BadDataError):
            return None
        if saved.inputs != self._inputs or not set(saved.models) <= set(self._registries):
            return None
        promoted = any(decision.get("outcome") == "promoted" for decision in saved.models.values())
        if saved.completed and (self._report.exists() or not promoted):
            return None
        return saved if all(self._stands(model, saved.models[model]) for model in saved.models) else None

    def _stands(self, model: str, decision: Mapping[str, Any]) -> bool:
        """Return whether the ledger is where the decision was made, or where it brought it."""
        registry = self._registries[model]
        registry.recover()
        entries = registry.ledger.entries()
        if entries and entries[-1].change.decision == sha256_json(decision):
            return True
        return bool(decision.get("ledger_head") == head_of(entries))

    def _write(self, saved: _Saved) -> None:
        with atomic_file(self._file) as temporary:
            temporary.write_bytes(seal(saved.record()))
