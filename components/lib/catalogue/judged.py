"""Judgement of a promoted model, as its item in the catalogue states it: for models that no kept run made."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from components.contract.errors import BadDataError
from components.contract.keys import model_item_key
from components.lib.catalogue.documents import get_bounded, read_item
from components.lib.history.facts import ModelFacts
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import checked

_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Score(BaseModel):
    """Score with its interval, whose ends may be unknown."""

    model_config = ConfigDict(frozen=True)

    value: _Finite
    low: _Finite | None = None
    high: _Finite | None = None
    confidence: _Finite | None = None


class _Metrics(BaseModel):
    model_config = ConfigDict(frozen=True)

    metric: str = ""
    all_sensors: _Score | None = None


class _Change(BaseModel):
    model_config = ConfigDict(frozen=True)

    decision_sha256: str


class _Properties(BaseModel):
    """Part of an item's properties that is read here."""

    model_config = ConfigDict(frozen=True)

    simulated: bool = Field(alias="stormsight:simulated")
    method: str = Field(alias="stormsight:method")
    metrics: _Metrics = Field(alias="stormsight:metrics")
    ledger: _Change = Field(alias="stormsight:ledger")


def read_judgement(objects: ObjectStore, model: str, version: str, decision_sha256: str) -> ModelFacts:
    """Return the judgement that promoted a version.

    Args:
        objects: Store of the catalogue.
        model: Registered model.
        version: Its version.
        decision_sha256: Decision that promoted it, by the ledger.

    Raises:
        MissingInputError: If the version has no item.
        BadDataError: If the item is damaged, or of another decision.
        SourceUnavailableError: If the store does not answer, or gives no right to read it.
    """
    key = model_item_key(model, version)
    name = f"{objects.uri}/{key}"
    found = checked(read_item(get_bounded(objects, key), name=name)["properties"], _Properties, name=name)
    if found.ledger.decision_sha256 != decision_sha256:
        raise BadDataError(
            f"{name} is of another decision than the ledger names",
            next_step="find out who wrote to it; restore it from a backup of the object store",
        )
    score = found.metrics.all_sensors
    return ModelFacts(
        model=model,
        outcome="promoted",
        method=found.method,
        metric=found.metrics.metric,
        score=None if score is None else score.value,
        low=None if score is None else score.low,
        high=None if score is None else score.high,
        confidence=None if score is None else score.confidence,
        simulated=found.simulated,
        decision_sha256=decision_sha256,
    )
