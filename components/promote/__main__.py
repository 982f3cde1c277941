"""Command line: decide on promotion, show or check the champions' history, roll back, reproduce scores."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from components.contract.actor import current_actor
from components.contract.notices import champion_notice, send
from components.lib.cli import reason, run
from components.lib.config.loader import load_parameters
from components.lib.config.scoring import ScoringSettings
from components.lib.files import require_input
from components.lib.registry.served import MODELS, SAR_MODEL
from components.promote.outcomes import require_promotion, tell_outcomes

if TYPE_CHECKING:
    from components.lib.registry.champion import ChampionRegistry
    from components.lib.registry.ledger import ChampionLedgers
    from components.lib.tracking.connection import Connection
    from components.promote.publishing import Publisher


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run one command."""
    options = _parser().parse_args(arguments)
    options.command(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m components.promote",
        description="Without a command: judge models/optical/deeplabv3plus and models/adapted against the "
        "champions on clean test ground, promote what passes, write reports/promote. A refusal is a "
        "result: exit 0. Change models are judged by `python -m components.promote.change`; all other "
        "commands here know them.",
    )
    parser.set_defaults(command=_decide)
    parser.add_argument(
        "--fail-on-refusal", action="store_true", help="exit 77 if a challenger is refused (default: exit 0)"
    )
    commands = parser.add_subparsers(
        metavar="[history | rollback | approve | reject | verify | restore-alias | publish | reproduce]"
    )

    show = commands.add_parser("history", help="show every change of the champions")
    show.set_defaults(command=_history)

    back = commands.add_parser("rollback", help="restore the champion before the present one")
    back.add_argument("--model", choices=MODELS, default=SAR_MODEL, help="(%(default)s)")
    back.add_argument(
        "--reason", type=reason, default="rolled back by hand", help="kept in the ledger (%(default)s)"
    )
    back.set_defaults(command=_rollback)

    check = commands.add_parser(
        "verify", help="check ledger, registry and champion against each other; exit 65 if they disagree"
    )
    check.add_argument(
        "--repair", action="store_true", help="complete what a crash cut off, renew a damaged head note"
    )
    check.set_defaults(command=_verify)

    restore = commands.add_parser(
        "restore-alias", help="point the alias in MLflow to the ledger's champion again, whoever moved it"
    )
    restore.add_argument("--model", choices=MODELS, default=SAR_MODEL, help="(%(default)s)")
    restore.set_defaults(command=_restore_alias)

    published = commands.add_parser(
        "publish", help="publish what is missing of the champions in the STAC catalogue (maps/catalog.json)"
    )
    published.set_defaults(command=_publish)

    for name, command, words in (
        ("approve", _approve, "promote the challenger that waits for an approval"),
        ("reject", _reject, "refuse the challenger that waits for an approval"),
    ):
        verdict = commands.add_parser(name, help=words)
        verdict.add_argument("--model", choices=MODELS, default=SAR_MODEL, help="(%(default)s)")
        verdict.add_argument(
            "--reason", type=reason, default=f"{name} by hand", help="kept in the chain of approvals"
        )
        verdict.set_defaults(command=command)

    again = commands.add_parser(
        "reproduce", help="score a model folder on the clean test tiles and print the digest of its scores"
    )
    again.add_argument("--folder", type=Path, required=True, help="weights.safetensors and model.json")
    again.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="(%(default)s)")
    again.set_defaults(command=_reproduce)
    return parser


# Heavy imports stay inside the commands: history and rollback need no torch, reproduce needs no MLflow.


def _decide(options: argparse.Namespace) -> None:
    from components.lib.tracking.parameters import TrackingParameters  # noqa: PLC0415
    from components.promote.buildings import PromotionSettings, decide_buildings  # noqa: PLC0415
    from components.promote.parameters import PromoteParameters  # noqa: PLC0415

    settings = PromotionSettings(
        parameters=load_parameters("promote", PromoteParameters),
        scoring=load_parameters("scoring", ScoringSettings),
        tracking=load_parameters("tracking", TrackingParameters),
    )
    document = decide_buildings(settings)
    tell_outcomes(document)
    if options.fail_on_refusal:
        require_promotion(document, settings.out)


def _history(options: argparse.Namespace) -> None:
    from components.promote.history import history  # noqa: PLC0415

    connection, ledgers = _registry()
    print(history(connection, ledgers, MODELS))


def _rollback(options: argparse.Namespace) -> None:
    from components.promote.history import rollback  # noqa: PLC0415

    connection, ledgers = _registry()
    _tell("rolled back", rollback(connection, ledgers, options.model, options.reason))
    _publisher(connection, ledgers).publish_after_change((options.model,))


def _verify(options: argparse.Namespace) -> None:
    from components.promote.history import verify  # noqa: PLC0415

    connection, ledgers = _registry()
    print(verify(connection, ledgers, MODELS, repair=options.repair))


def _restore_alias(options: argparse.Namespace) -> None:
    from components.promote.history import restore_alias  # noqa: PLC0415

    connection, ledgers = _registry()
    _tell("alias restored", restore_alias(connection, ledgers, options.model))


def _approve(options: argparse.Namespace) -> None:
    from components.promote.approval import approve  # noqa: PLC0415

    champion = _champion(options.model)
    _tell("approved", approve(champion, options.reason))
    _publisher(champion.connection, champion.ledgers).publish_after_change((options.model,))


def _reject(options: argparse.Namespace) -> None:
    from components.promote.approval import reject  # noqa: PLC0415

    _tell("rejected", reject(_champion(options.model), options.reason))


def _publish(options: argparse.Namespace) -> None:
    done, failures = _publisher(*_registry()).publish(MODELS)
    print("\n".join(done) or "nothing to publish: the catalogue has every version that was promoted")
    for error in failures[1:]:
        print(error, file=sys.stderr)
    if failures:
        raise failures[0]


def _publisher(connection: Connection, ledgers: ChampionLedgers) -> Publisher:
    from components.promote.publishing import open_publisher  # noqa: PLC0415

    return open_publisher(connection, ledgers)


def _tell(event: str, words: str) -> None:
    """Print what was done, and send it as a notice."""
    print(words)
    send(champion_notice(event, words, actor=current_actor()))


def _champion(model: str) -> ChampionRegistry:
    from components.lib.registry.champion import ChampionRegistry  # noqa: PLC0415

    connection, ledgers = _registry()
    return ChampionRegistry(connection, ledgers, model)


def _reproduce(options: argparse.Namespace) -> None:
    for name in ("model.json", "weights.safetensors"):
        require_input(options.folder / name, made_by="promote")
    from components.lib.store.store import Store  # noqa: PLC0415
    from components.promote.ground import BuildingGround  # noqa: PLC0415
    from components.promote.reproduce import score_digest  # noqa: PLC0415

    ground = BuildingGround(
        store=Store.open(Path("data/prepared")),
        scoring=load_parameters("scoring", ScoringSettings),
        device=options.device,
    )
    print(json.dumps(score_digest(options.folder, ground)))


def _registry() -> tuple[Connection, ChampionLedgers]:
    from components.lib.registry.ledger import open_ledgers  # noqa: PLC0415
    from components.lib.tracking.connection import connect  # noqa: PLC0415
    from components.lib.tracking.parameters import TrackingParameters  # noqa: PLC0415
    from components.promote.parameters import PromoteParameters  # noqa: PLC0415

    parameters = load_parameters("promote", PromoteParameters)
    return connect(load_parameters("tracking", TrackingParameters)), open_ledgers(parameters.ledger)


if __name__ == "__main__":
    run(main)
