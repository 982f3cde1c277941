"""Decision on challengers: register them, judge them, move aliases, write the record."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from components.contract.errors import BadDataError, ChampionChangedError
from components.contract.hashing import sha256_file, sha256_folder
from components.lib.disk import require_writable
from components.lib.files import write_json, write_text
from components.lib.registry.artefact import by_version, fetched, register
from components.lib.registry.budget import take_number
from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.ledger import ChampionEntry, ChampionLedgers, champion_of, head_of
from components.lib.tracking.connection import Connection, store_errors
from components.lib.tracking.run import flatten
from components.promote.challenge import Challenge
from components.promote.decisions import SavedDecisions, local_file
from components.promote.gate import Rivals, judge
from components.promote.kept import keep_record
from components.promote.presentation import present
from components.promote.promotion import PROMOTED, ask_for_approval, carry_out
from components.promote.publishing import open_publisher
from components.promote.record import decision_record, headline, record_hash
from components.promote.reproduce import Reproduction
from components.promote.scores import CleanTestScores
from components.promote.text import text_of

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Place of decisions: the registry, the record, and what all challengers of one run share.

    Attributes:
        connection: Connection to MLflow.
        ledgers: Champions' ledgers.
        approval: ``required`` where what passes waits for a person, else ``none``.
        simulated: True if any of the data is from the simulated world.
        device: Device of the predictions.
        out: Folder of the record.
        pages: Pages of the same run, in words, for the end of the record.
        name: Name of this gate where a pipeline has several; empty for that on building models.
    """

    connection: Connection
    ledgers: ChampionLedgers
    approval: str
    simulated: bool
    device: str
    out: Path
    pages: str
    name: str = ""

    def registry(self, model: str) -> ChampionRegistry:
        """Return the champion of a registered model."""
        return ChampionRegistry(self.connection, self.ledgers, model)


def decide(gate: Gate, challenges: Mapping[str, Challenge]) -> dict[str, Any]:
    """Judge every challenger against its champion, promote those that pass, and write the record.

    Where an approval is required, what passes waits for it, and the champion stays meanwhile.

    All judgements are made before the first alias moves. Where another process changed a champion meanwhile,
    a rollback for instance, that model's decision is dropped and the error raised: the stage, run again,
    judges its challenger against the present champion, and leaves what it decided on the others as it is.

    Args:
        gate: Place of the decisions.
        challenges: Challenger by registered model.

    Returns:
        The content of ``decision.json``.

    Raises:
        MissingInputError: If a model is missing.
        BadDataError: If a model folder or the champion's artefact is not intact, or ledger and registry
            disagree.
        ChampionChangedError: If a champion changed while its challenger was judged.
        SourceUnavailableError: If MLflow does not answer.
        ResourceError: If the record cannot be written.
    """
    for place in (gate.out, local_file(gate.name).parent):
        require_writable(place)
    saved = SavedDecisions(
        _inputs(gate, challenges),
        {model: gate.registry(model) for model in challenges},
        gate.out / "metrics.json",
        gate.name,
    )
    decisions = saved.load_or_save(lambda model: _judge_one(gate, model, challenges[model]))
    outcomes = {}
    changed: dict[str, ChampionChangedError] = {}
    for model in challenges:
        try:
            outcomes[model] = _apply(gate, model, decisions[model])
        except ChampionChangedError as error:
            changed[model] = error
    if changed:
        saved.keep_only({name: decision for name, decision in decisions.items() if name not in changed})
        raise next(iter(changed.values()))
    document = {"simulated": gate.simulated, "models": outcomes}
    text = text_of(document, gate.pages)
    write_json(gate.out / "decision.json", document)
    write_text(gate.out / "decision.txt", text)
    write_json(gate.out / "metrics.json", headline(document))
    for line in text.splitlines():
        LOG.info("%s", line)
    open_publisher(gate.connection, gate.ledgers).publish_after_change(tuple(challenges))
    saved.complete(decisions)
    return document


def _inputs(gate: Gate, challenges: Mapping[str, Challenge]) -> dict[str, Any]:
    """Return what the decisions are made from, as JSON values."""
    return {
        "registry": gate.connection.uri,
        "challenges": {
            model: {
                **challenge.hashes,
                "models": {path.as_posix(): sha256_folder(path) for path in challenge.folders},
                "promote": challenge.rules.rules(),
                "approval": gate.approval,
                "scoring": challenge.ground.settings(),
            }
            for model, challenge in challenges.items()
        },
    }


def _judge_one(gate: Gate, model: str, challenge: Challenge) -> dict[str, Any]:
    ground, hashes = challenge.ground, challenge.hashes
    # Loading checks the weights against the model's own signature before anything is registered.
    net = ground.load(challenge.folder)
    registry = gate.registry(model)
    entries = registry.settled()
    head, champion_version = head_of(entries), champion_of(entries)
    version = register(
        gate.connection,
        model,
        challenge.folder,
        tags={
            **ground.tags(net),
            "simulated": str(gate.simulated).lower(),
            **{f"{name}_sha256": value for name, value in hashes.items()},
        },
        params=flatten(net.config.model_dump(mode="json")),
        made_by=challenge.made_by,
    )
    LOG.info("%s: version %s is judged against version %s", model, version, champion_version or "none")
    challenger = ground.score(net)
    method = ground.method(net)
    judgement = judge(
        challenger,
        _rivals(gate, model, version, champion_version, challenger, challenge=challenge, method=method),
        data=challenge.data,
        reproduction=_reproduce(gate, model, version, challenger, challenge=challenge),
        parameters=challenge.rules,
    )
    weights = sha256_file(challenge.folder / "weights.safetensors")
    return decision_record(
        judgement,
        model=model,
        method=method,
        control=challenge.control,
        version=version,
        champion_version=champion_version,
        ledger_head=head,
        hashes={**hashes, "weights": weights, "scores": challenger.digest},
        parameters=challenge.rules,
        ground=ground.unit,
        scoring=ground.settings(),
        simulated=gate.simulated,
        acquisitions=ground.acquisitions,
    )


def _rivals(
    gate: Gate,
    model: str,
    version: str,
    champion_version: str | None,
    challenger: CleanTestScores,
    *,
    challenge: Challenge,
    method: str,
) -> Rivals:
    folder, ground = challenge.control, challenge.ground
    own_line = folder is not None and method == folder.name
    control = None if own_line or folder is None else ground.score(ground.load(folder))
    alone = Rivals(control=control, control_name=challenge.control_name, own_line=own_line)
    if champion_version is None:
        return alone
    if champion_version == version:
        return replace(alone, champion=challenger)
    # Taken before the outcome is known: an attempt that is cut off cannot be repeated at a larger level.
    number = take_number(gate.connection, model, version)
    net = ground.load_version(gate.connection, by_version(gate.connection, model, champion_version))
    return replace(alone, champion=ground.score(net, others=challenger.sensors), number=number)


def _reproduce(
    gate: Gate, model: str, version: str, expected: CleanTestScores, *, challenge: Challenge
) -> Reproduction:
    try:
        with fetched(gate.connection, by_version(gate.connection, model, version)) as folder:
            return challenge.reproducer(folder, expected, gate.device)
    except BadDataError as error:  # the store does not hold what was registered: a refusal
        return Reproduction(False, error.message)


def _apply(gate: Gate, model: str, decision: dict[str, Any]) -> dict[str, Any]:
    """Save the decision with the version, and move the alias if the decision is to promote.

    Raises:
        ChampionChangedError: If the decision was made against another champion than the present one.
    """
    digest = record_hash(decision)
    outcome, reasons = decision["outcome"], decision["reasons"]
    keep_record(gate.connection, model, decision, digest)
    registry = gate.registry(model)
    entry: ChampionEntry | None = None
    if outcome == PROMOTED and gate.approval == "required":
        outcome, reasons, entry = ask_for_approval(registry, decision, digest)
    elif outcome == PROMOTED:
        entry = carry_out(registry, decision, digest)
    else:  # refused by a champion that may have been rolled back meanwhile
        registry.require_champion(decision["champion_version"], version=decision["version"])
    with store_errors(gate.connection.uri):
        gate.connection.client.set_model_version_tag(model, decision["version"], "outcome", outcome)
    present(gate.connection, model, {**decision, "outcome": outcome, "reasons": reasons}, digest)
    return {
        "outcome": outcome,
        "reasons": reasons,
        "decision": decision,
        "decision_sha256": digest,
        "ledger": None if entry is None else {"seq": entry.seq, "hash": entry.hash, "time": entry.time},
    }
