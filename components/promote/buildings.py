"""Decision on models of buildings or roads: teacher and SAR model against their champions on clean tiles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from components.contract.errors import BadDataError
from components.lib.config.scoring import ScoringSettings
from components.lib.files import read_json
from components.lib.inference.device import choose_device
from components.lib.registry.ledger import open_ledgers
from components.lib.store.store import Store
from components.lib.tracking.connection import connect
from components.lib.tracking.parameters import TrackingParameters
from components.promote import checks
from components.promote.challenge import Challenge, Reproducer
from components.promote.decide import Gate, decide
from components.promote.ground import BuildingGround
from components.promote.parameters import PromoteParameters, candidates_of
from components.promote.record import input_hashes
from components.promote.reproduce import reproduce
from components.promote.text import PAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionSettings:
    """Parameters, inputs and outputs of the stage.

    Attributes:
        parameters: Section ``promote``.
        scoring: Section ``scoring``.
        tracking: Section ``tracking``.
        store: Prepared store.
        verdict: Data verdict.
        out: Folder of the record.
        reproducer: Function that scores a registered artefact in a fresh process.
    """

    parameters: PromoteParameters
    scoring: ScoringSettings
    tracking: TrackingParameters
    store: Path = Path("data/prepared")
    verdict: Path = Path("reports/validate/verdict.json")
    out: Path = Path("reports/promote")
    reproducer: Reproducer = reproduce


def decide_buildings(settings: PromotionSettings, models: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Judge the challengers of the store's task; see :func:`components.promote.decide.decide`.

    Returns:
        The content of ``reports/promote/decision.json``.

    Raises:
        MissingInputError: If the store, the verdict or a model is missing.
        StormsightError: As :func:`components.promote.decide.decide`.
    """
    verdict = read_json(settings.verdict, made_by="verdict")
    if not isinstance(verdict, dict):
        raise BadDataError(
            f"{settings.verdict} is not a verdict", next_step="run `dvc repro --force validate`"
        )
    device = choose_device("auto", "the device of promote")
    ground = BuildingGround(store=Store.open(settings.store), scoring=settings.scoring, device=device)
    data, hashes = checks.data(verdict), input_hashes(settings.store, settings.verdict)
    gate = Gate(
        connection=connect(settings.tracking),
        ledgers=open_ledgers(settings.parameters.ledger),
        approval=settings.parameters.approval,
        simulated=bool(verdict.get("simulated")) or ground.simulated,
        device=device,
        out=settings.out,
        pages=PAGES,
    )
    candidates = candidates_of(ground.store.task)
    challenges = {
        model: Challenge(
            folder=candidates[model].folder,
            made_by=candidates[model].made_by,
            control=candidates[model].control,
            control_name="SAR-only control",
            ground=replace(ground, modality=candidates[model].modality),
            data=data,
            rules=settings.parameters,
            hashes=hashes,
            reproducer=settings.reproducer,
        )
        for model in models or candidates
    }
    return decide(gate, challenges)
