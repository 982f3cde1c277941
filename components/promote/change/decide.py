"""Decision on a change model against the champion of ``stormsight-change`` and its control."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from components.contract.documents import shown
from components.contract.errors import BadDataError
from components.lib.change.nets.bundle import load_change_bundle
from components.lib.change.scoring.scores import ChangeRules as MatchingRules
from components.lib.change.store.store import PairStore
from components.lib.files import read_json
from components.lib.inference.device import choose_device
from components.lib.methods.registry import load_change
from components.lib.registry.ledger import open_ledgers
from components.lib.registry.served import CHANGE_MODEL
from components.lib.tracking.connection import connect
from components.lib.tracking.parameters import TrackingParameters
from components.promote.challenge import Challenge, Reproducer
from components.promote.change.ground import ChangeGround
from components.promote.checks import Check
from components.promote.decide import Gate, decide
from components.promote.parameters import PromoteParameters
from components.promote.record import input_hashes
from components.promote.reproduce import reproduce

PACKAGE = "components.promote.change"
MODELS, STORES, REPORTS = Path("models/change"), Path("data/pairs"), Path("reports/pairs")
OUT = Path("reports/promote_change")
REPRODUCE: Reproducer = partial(reproduce, package=PACKAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePromotion:
    """Parameters and folders of the decision on one change method.

    Attributes:
        method: Change method of the challenger.
        parameters: Section ``promote``.
        tracking: Section ``tracking``.
        leaks_sought: True if the stage `pairs` looked for ground that splits share.
        models: Folder with a model for each change method.
        stores: Folder with a store of pairs for each data set.
        reports: Folder with the reports on each of these.
        out: Folder with a record for each change method.
        reproducer: Function that scores a registered artefact in a fresh process.
    """

    method: str
    parameters: PromoteParameters
    tracking: TrackingParameters
    leaks_sought: bool
    models: Path = MODELS
    stores: Path = STORES
    reports: Path = REPORTS
    out: Path = OUT
    reproducer: Reproducer = REPRODUCE


def decide_change(settings: ChangePromotion) -> dict[str, Any]:
    """Judge the change model of one method; see :func:`components.promote.decide.decide`.

    It is judged on the data set that it was trained on.

    Returns:
        The content of ``reports/promote_change/<method>/decision.json``.

    Raises:
        ParameterError: If there is no such change method.
        MissingInputError: If the model, its control, the store or its report is missing.
        StormsightError: As :func:`components.promote.decide.decide`.
    """
    parameters, method = settings.parameters, settings.method
    load_change(method)
    device = choose_device("auto", "the device of promote_change")
    ground = open_ground(settings.models / method, settings.stores, parameters, device)
    data_set = ground.store.facts.data_set
    report = settings.reports / data_set / "metrics.json"
    control = parameters.change.control
    gate = Gate(
        connection=connect(settings.tracking),
        ledgers=open_ledgers(parameters.ledger),
        approval=parameters.approval,
        simulated=ground.simulated,
        device=device,
        out=settings.out / method,
        pages=_pages(data_set, method),
        name=f"change-{method}",
    )
    challenge = Challenge(
        folder=settings.models / method,
        made_by="change",
        control=None if control is None else settings.models / control,
        control_name=f"control {control}",
        ground=ground,
        data=data_check(report, leaks_sought=settings.leaks_sought),
        rules=parameters.of_change(),
        hashes=input_hashes(ground.store.folder, report),
        reproducer=settings.reproducer,
    )
    return decide(gate, {CHANGE_MODEL: challenge})


def open_ground(model: Path, stores: Path, parameters: PromoteParameters, device: str) -> ChangeGround:
    """Return the test pairs of the data set that a change model was trained on.

    Args:
        model: Model folder.
        stores: Folder with a store of pairs for each data set.
        parameters: Section ``promote``.
        device: Device of the predictions.

    Raises:
        MissingInputError: If the model or the store is missing.
        BadDataError: If the model is damaged, or is no change model.
    """
    data_set = load_change_bundle(model).config.before.sensor
    if Path(data_set).name != data_set:
        raise BadDataError(
            f"model {model} names no data set: {shown(data_set)}",
            next_step="make it again with `dvc repro --force change`",
        )
    rules = MatchingRules(min_area_px=parameters.change.min_area_px)
    return ChangeGround(store=PairStore.open(stores / data_set), rules=rules, device=device)


def data_check(report: Path, *, leaks_sought: bool) -> Check:
    """Check the stage `pairs`' report on a data set: what was left out, and ground that splits share.

    The stage stops before this report where too much is left out.

    Args:
        report: Its ``metrics.json``.
        leaks_sought: True if the stage looked for shared ground.

    Raises:
        MissingInputError: If there is none.
        BadDataError: If it is not such a report.
    """
    found = read_json(report, made_by="pairs")
    if not isinstance(found, dict) or not {"left_out_share", "leaks"} <= found.keys():
        raise BadDataError(f"{report} is no report on pairs", next_step="run `dvc repro --force pairs`")
    left_out, leaks = found["left_out_share"], found["leaks"]
    told = f"{left_out:.1%} of the pairs are left out"
    if not leaks_sought:
        words = "whether splits share ground is not known (pairs.leaks: ignore): the test may be no test"
        return Check("data", False, f"{words}; {told}")
    if leaks:
        words = f"{leaks} pairs share ground between splits, so that the test is not clean"
        return Check("data", False, f"{words}; {told}")
    return Check("data", True, f"no ground is shared between splits; {told}")


def _pages(data_set: str, method: str) -> str:
    return (
        "Files of the same run, relative to this one:\n"
        f"  pairs     ../../pairs/{data_set}/details.json\n"
        f"  training  ../../change/{method}/details.json"
    )
