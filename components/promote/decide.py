"""The stage: register the challengers, judge them, move aliases, write the record."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from components.contract.errors import BadDataError, ChampionChangedError
from components.contract.hashing import sha256_file, sha256_folder
from components.lib.config.scoring import ScoringSettings
from components.lib.disk import require_writable
from components.lib.files import read_json, write_json, write_text
from components.lib.inference.device import choose_device
from components.lib.registry.artefact import by_version, fetched, register
from components.lib.registry.budget import take_number
from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.ledger import ChampionEntry, ChampionLedgers, champion_of, head_of, open_ledgers
from components.lib.store.store import Store
from components.lib.tracking.connection import Connection, connect, store_errors
from components.lib.tracking.parameters import TrackingParameters
from components.lib.tracking.run import flatten
from components.promote.decisions import LOCAL, SavedDecisions
from components.promote.gate import Rivals, judge
from components.promote.ground import BuildingGround, Ground
from components.promote.kept import keep_record
from components.promote.parameters import CANDIDATES, PromoteParameters
from components.promote.presentation import present
from components.promote.promotion import PROMOTED, ask_for_approval, carry_out
from components.promote.publishing import open_publisher
from components.promote.record import (
    decision_record,
    headline,
    input_hashes,
    made_by_method,
    record_hash,
)
from components.promote.reproduce import Reproduction, reproduce
from components.promote.scores import CleanTestScores
from components.promote.text import text_of

LOG = logging.getLogger(__name__)

Reproducer = Callable[[Path, CleanTestScores, str], Reproduction]


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


def decide(settings: PromotionSettings, models: tuple[str, ...] = tuple(CANDIDATES)) -> dict[str, Any]:
    """Judge every challenger against its champion, promote those that pass, and write the record.

    Where an approval is required, what passes waits for it, and the champion stays meanwhile.

    All judgements are made before the first alias moves. Where another process changed a champion meanwhile,
    a rollback for instance, that model's decision is dropped and the error raised: the stage, run again,
    judges its challenger against the present champion, and leaves what it decided on the others as it is.

    Returns:
        The content of ``reports/promote/decision.json``.

    Raises:
        MissingInputError: If the store, the verdict or a model is missing.
        BadDataError: If a model folder or the champion's artefact is not intact, or ledger and registry
            disagree.
        ChampionChangedError: If a champion changed while its challenger was judged.
        SourceUnavailableError: If MLflow does not answer.
        ResourceError: If the record cannot be written.
    """
    for place in (settings.out, LOCAL.parent):
        require_writable(place)
    run = _open(settings)
    saved = SavedDecisions(
        _inputs(run, models), {model: run.registry(model) for model in models}, settings.out / "metrics.json"
    )
    decisions = saved.load_or_save(lambda model: _judge_one(run, model))
    outcomes = {}
    changed: dict[str, ChampionChangedError] = {}
    for model in models:
        try:
            outcomes[model] = _apply(run, model, decisions[model])
        except ChampionChangedError as error:
            changed[model] = error
    if changed:
        saved.keep_only({name: decision for name, decision in decisions.items() if name not in changed})
        raise next(iter(changed.values()))
    document = {"simulated": run.simulated, "models": outcomes}
    text = text_of(document)
    write_json(settings.out / "decision.json", document)
    write_text(settings.out / "decision.txt", text)
    write_json(settings.out / "metrics.json", headline(document))
    for line in text.splitlines():
        LOG.info("%s", line)
    open_publisher(run.connection, run.ledgers).publish_after_change(models)
    saved.complete(decisions)
    return document


@dataclass(frozen=True, slots=True, kw_only=True)
class _PromotionRun:
    """State that all challengers of one run share."""

    settings: PromotionSettings
    connection: Connection
    ledgers: ChampionLedgers
    buildings: BuildingGround
    verdict: Mapping[str, Any]
    hashes: Mapping[str, str]
    device: str

    @property
    def simulated(self) -> bool:
        return bool(self.verdict.get("simulated")) or self.buildings.simulated

    def registry(self, model: str) -> ChampionRegistry:
        return ChampionRegistry(self.connection, self.ledgers, model)

    def ground(self, model: str) -> Ground[Any]:
        return replace(self.buildings, modality=CANDIDATES[model].modality)


def _open(settings: PromotionSettings) -> _PromotionRun:
    verdict = read_json(settings.verdict, made_by="verdict")
    if not isinstance(verdict, dict):
        raise BadDataError(
            f"{settings.verdict} is not a verdict", next_step="run `dvc repro --force validate`"
        )
    device = choose_device("auto", "the device of promote")
    return _PromotionRun(
        settings=settings,
        connection=connect(settings.tracking),
        ledgers=open_ledgers(settings.parameters.ledger),
        buildings=BuildingGround(store=Store.open(settings.store), scoring=settings.scoring, device=device),
        verdict=verdict,
        hashes=input_hashes(settings.store, settings.verdict),
        device=device,
    )


def _inputs(run: _PromotionRun, models: tuple[str, ...]) -> dict[str, Any]:
    """Return what the decisions are made from, as JSON values."""
    folders = [CANDIDATES[model].folder for model in models]
    folders += [control for model in models if (control := CANDIDATES[model].control) is not None]
    return {
        **run.hashes,
        "models": {path.as_posix(): sha256_folder(path) for path in folders},
        "promote": run.settings.parameters.model_dump(mode="json"),
        "scoring": run.settings.scoring.model_dump(mode="json"),
        "registry": run.connection.uri,
    }


def _judge_one(run: _PromotionRun, model: str) -> dict[str, Any]:
    candidate, ground = CANDIDATES[model], run.ground(model)
    # Loading checks the weights against the model's own signature before anything is registered.
    net = ground.load(candidate.folder)
    registry = run.registry(model)
    entries = registry.settled()
    head, champion_version = head_of(entries), champion_of(entries)
    version = register(
        run.connection,
        model,
        candidate.folder,
        tags={
            **ground.tags(net),
            "simulated": str(run.simulated).lower(),
            **{f"{name}_sha256": value for name, value in run.hashes.items()},
        },
        params=flatten(net.config.model_dump(mode="json")),
        made_by=candidate.made_by,
    )
    LOG.info("%s: version %s is judged against version %s", model, version, champion_version or "none")
    challenger = ground.score(net)
    method = made_by_method(net.metadata)
    judgement = judge(
        challenger,
        _rivals(run, model, version, champion_version, challenger, method=method),
        verdict=run.verdict,
        reproduction=_reproduce(run, model, version, challenger),
        parameters=run.settings.parameters,
    )
    weights = sha256_file(candidate.folder / "weights.safetensors")
    return decision_record(
        judgement,
        model=model,
        method=method,
        control=candidate.control,
        version=version,
        champion_version=champion_version,
        ledger_head=head,
        hashes={**run.hashes, "weights": weights, "scores": challenger.digest},
        parameters=run.settings.parameters,
        scoring=run.settings.scoring,
        simulated=run.simulated,
        acquisitions=ground.acquisitions,
    )


def _rivals(
    run: _PromotionRun,
    model: str,
    version: str,
    champion_version: str | None,
    challenger: CleanTestScores,
    *,
    method: str,
) -> Rivals:
    folder, ground = CANDIDATES[model].control, run.ground(model)
    own_line = folder is not None and method == folder.name
    control = None if own_line or folder is None else ground.score(ground.load(folder))
    if champion_version is None:
        return Rivals(control=control, own_line=own_line)
    if champion_version == version:
        return Rivals(champion=challenger, control=control, own_line=own_line)
    # Taken before the outcome is known: an attempt that is cut off cannot be repeated at a larger level.
    number = take_number(run.connection, model, version)
    net = ground.load_version(run.connection, by_version(run.connection, model, champion_version))
    champion = ground.score(net, others=challenger.sensors)
    return Rivals(champion=champion, number=number, control=control, own_line=own_line)


def _reproduce(run: _PromotionRun, model: str, version: str, expected: CleanTestScores) -> Reproduction:
    try:
        with fetched(run.connection, by_version(run.connection, model, version)) as folder:
            return run.settings.reproducer(folder, expected, run.device)
    except BadDataError as error:  # the store does not hold what was registered: a refusal
        return Reproduction(False, error.message)


def _apply(run: _PromotionRun, model: str, decision: dict[str, Any]) -> dict[str, Any]:
    """Save the decision with the version, and move the alias if the decision is to promote.

    Raises:
        ChampionChangedError: If the decision was made against another champion than the present one.
    """
    digest = record_hash(decision)
    outcome, reasons = decision["outcome"], decision["reasons"]
    keep_record(run.connection, model, decision, digest)
    registry = run.registry(model)
    entry: ChampionEntry | None = None
    if outcome == PROMOTED and run.settings.parameters.approval == "required":
        outcome, reasons, entry = ask_for_approval(registry, decision, digest)
    elif outcome == PROMOTED:
        entry = carry_out(registry, decision, digest)
    else:  # refused by a champion that may have been rolled back meanwhile
        registry.require_champion(decision["champion_version"], version=decision["version"])
    with store_errors(run.connection.uri):
        run.connection.client.set_model_version_tag(model, decision["version"], "outcome", outcome)
    present(run.connection, model, {**decision, "outcome": outcome, "reasons": reasons}, digest)
    return {
        "outcome": outcome,
        "reasons": reasons,
        "decision": decision,
        "decision_sha256": digest,
        "ledger": None if entry is None else {"seq": entry.seq, "hash": entry.hash, "time": entry.time},
    }
