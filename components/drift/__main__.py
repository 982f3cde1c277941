"""``python -m components.drift reference|compare|outputs|estimate|requests``."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from components.drift.parameters import (
    EVALUATION,
    FEATURES,
    MODELS,
    REPORTS,
    STORE,
    EstimateOptions,
    ReferenceOptions,
)
from components.lib.cli import comma_list, report_result, run
from components.lib.config.loader import Parameters
from components.lib.drift.report import CompareOptions

if TYPE_CHECKING:
    from components.lib.drift.reference import Reference
    from components.lib.drift.report import Document

P = TypeVar("P", bound=Parameters)


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run one command."""
    options = parser().parse_args(arguments)
    options.command(options)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    command = argparse.ArgumentParser(
        prog="python -m components.drift",
        description="Compare the pixels of an acquisition with those that a champion was trained on. Where "
        "they differ a retraining is asked for in the ledger of STORMSIGHT_OBJECTS; nothing is trained or "
        "promoted by it.",
    )
    commands = command.add_subparsers(
        metavar="reference | compare | outputs | estimate | requests", required=True
    )

    reference = commands.add_parser("reference", help="keep the statistics of a champion's training tiles")
    reference.add_argument(
        "--acquisitions",
        type=comma_list,
        metavar="ID,ID",
        help="of these alone (default: all acquisitions in the features)",
    )
    reference.add_argument(
        "--block-m",
        type=float,
        default=ReferenceOptions().block_m,
        help="side of the ground blocks that tests take as units, metres (%(default)s)",
    )
    place = reference.add_mutually_exclusive_group(required=True)
    place.add_argument("--model", help="keep them beside the files of this model's champion")
    place.add_argument("--out", type=Path, metavar="FILE", help="write them to this parquet file")
    reference.set_defaults(command=_reference)

    compare = commands.add_parser(
        "compare", help="compare an acquisition with a reference, and write a report of it"
    )
    compare.add_argument("--acquisition", required=True, metavar="ID", help="acquisition in the features")
    against = compare.add_mutually_exclusive_group(required=True)
    against.add_argument("--model", help="reference of this model's champion; drift opens a request")
    against.add_argument("--reference", type=Path, metavar="FILE", help="a file; no request is opened")
    defaults = CompareOptions()
    compare.set_defaults(command=_compare)

    outputs = commands.add_parser(
        "outputs", help="compare a model's answers on an acquisition with those on others; opens no request"
    )
    outputs.add_argument("--acquisition", required=True, metavar="ID", help="acquisition in the evaluation")
    outputs.add_argument("--model", required=True, help="its name in the evaluation's tables: teacher, ...")
    outputs.add_argument(
        "--evaluation",
        type=Path,
        default=EVALUATION,
        metavar="DIR",
        help="what `evaluate` left (%(default)s)",
    )
    outputs.add_argument(
        "--reference", type=Path, metavar="DIR", help="evaluation on the others (default: the same)"
    )
    outputs.set_defaults(command=_outputs)

    defaults = CompareOptions()
    for each in (compare, outputs):
        each.add_argument("--out", type=Path, default=REPORTS, metavar="DIR", help="reports (%(default)s)")
        each.add_argument("--alpha", type=float, default=defaults.alpha, help="over all (%(default)s)")
        each.add_argument("--permutations", type=int, default=defaults.permutations, help="(%(default)s)")
        each.add_argument("--seed", type=int, default=defaults.seed, help="of those (%(default)s)")
        each.add_argument("--json", action="store_true", help="print the report as JSON")
    for each in (reference, compare):
        each.add_argument(
            "--features", type=Path, default=FEATURES, help="feature table of validation (%(default)s)"
        )

    _add_estimate(commands)
    requests = commands.add_parser("requests", help="list the requests for a retraining")
    requests.add_argument("--json", action="store_true", help="for machines")
    requests.set_defaults(command=_requests)
    return command


def _add_estimate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    estimate = commands.add_parser(
        "estimate",
        help="estimate a model's score on an acquisition without labels; opens no request",
        description="Estimate pixel IoU and F1 of a model on an acquisition from its probabilities, "
        "calibrated on the selection slice of the store that it was trained from. Labels are not needed; "
        "where there are some, the true scores stand beside it. Error of the estimate: "
        "docs/methods/drift.md.",
    )
    estimate.add_argument("--acquisition", required=True, metavar="ID", help="acquisition in the store")
    estimate.add_argument("--model", required=True, help="its folder's name below --models: concord, ...")
    estimate.add_argument("--models", type=Path, default=MODELS, metavar="DIR", help="(%(default)s)")
    estimate.add_argument(
        "--store", type=Path, default=STORE, metavar="DIR", help="prepared tiles of it (%(default)s)"
    )
    estimate.add_argument(
        "--calibration",
        type=Path,
        metavar="DIR",
        help="store that the model was trained from (default: --store, of which then the test tiles count)",
    )
    estimate.add_argument("--out", type=Path, default=REPORTS, metavar="DIR", help="reports (%(default)s)")
    defaults = EstimateOptions()
    estimate.add_argument("--confidence", type=float, default=defaults.confidence, help="(%(default)s)")
    estimate.add_argument(
        "--resamples", type=int, default=defaults.resamples, help="of the calibration (%(default)s)"
    )
    estimate.add_argument("--seed", type=int, default=defaults.seed, help="of those (%(default)s)")
    estimate.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default=defaults.device, help="(%(default)s)"
    )
    estimate.add_argument("--json", action="store_true", help="print the report as JSON")
    estimate.set_defaults(command=_estimate)


def _reference(options: argparse.Namespace) -> None:
    from components.lib.drift.features import chosen, read_features  # noqa: PLC0415 - slow imports
    from components.lib.drift.reference import find_champion, keep_reference  # noqa: PLC0415
    from components.lib.drift.tiles import encoded  # noqa: PLC0415
    from components.lib.files import atomic_file  # noqa: PLC0415
    from components.lib.objects.opening import objects_from_environment  # noqa: PLC0415

    block_m = _checked(ReferenceOptions, options).block_m
    tiles = chosen(read_features(options.features, block_m), options.acquisitions)
    if options.out is not None:
        with atomic_file(options.out) as path:
            path.write_bytes(encoded(tiles))
        print(f"wrote the statistics of {len(tiles.table)} tiles to {options.out}")
        return
    objects = objects_from_environment()
    champion = find_champion(objects, options.model)
    note = keep_reference(objects, champion, tiles)
    print(f"{champion.model} version {champion.version}: reference of {note.tiles} tiles")


def _compare(options: argparse.Namespace) -> None:
    from components.lib.drift.features import chosen, read_features  # noqa: PLC0415
    from components.lib.drift.report import compare_pixels, open_request  # noqa: PLC0415
    from components.lib.objects.opening import objects_from_environment  # noqa: PLC0415

    checked, place = _checked(CompareOptions, options), _place(options, "drift")
    reference = _read_reference(options)
    tiles = chosen(read_features(options.features, reference.tiles.block_m), [options.acquisition])
    drift = compare_pixels(tiles, options.acquisition, reference, checked)
    request = None if options.model is None else open_request(objects_from_environment(), drift)
    _publish(drift.report(request), options, place)


def _outputs(options: argparse.Namespace) -> None:
    from components.lib.drift.outputs import read_outputs  # noqa: PLC0415
    from components.lib.drift.report import compare_outputs  # noqa: PLC0415

    checked, place = _checked(CompareOptions, options), _place(options, f"outputs-{options.model}")
    after = read_outputs(options.evaluation)
    before = after if options.reference is None else read_outputs(options.reference)
    drift = compare_outputs(before, after, options.acquisition, options.model, checked)
    _publish(drift.report(None), options, place)


def _estimate(options: argparse.Namespace) -> None:
    from components.lib.config.loader import load_parameters  # noqa: PLC0415 - slow imports
    from components.lib.config.scoring import ScoringSettings  # noqa: PLC0415

    checked, place = _checked(EstimateOptions, options), _place(options, f"estimate-{options.model}")
    settings = load_parameters("scoring", ScoringSettings)
    from components.drift.estimate import EstimatePlaces, estimate_acquisition, words  # noqa: PLC0415
    from components.drift.picture import draw_estimate  # noqa: PLC0415
    from components.lib.files import write_json  # noqa: PLC0415

    places = EstimatePlaces(
        models=options.models, store=options.store, calibration=options.calibration or options.store
    )
    report = estimate_acquisition(
        options.model, options.acquisition, places=places, settings=settings, options=checked
    ).report()
    write_json(place.with_name(f"{place.name}.json"), report)
    draw_estimate(report, place.with_name(f"{place.name}.png"))
    print(json.dumps(report, indent=2, sort_keys=True) if options.json else words(report, place))
    report_result({key: report[key] for key in ("acquisition", "model", "scores")})


def _checked(kind: type[P], options: argparse.Namespace) -> P:
    from components.lib.config.loader import validated  # noqa: PLC0415

    given = {name: getattr(options, name) for name in kind.model_fields}
    return validated("options", kind, given, Path("the options"))


def _place(options: argparse.Namespace, name: str) -> Path:
    """Return the path of the report and the picture, without their suffixes.

    Raises:
        ParameterError: If the acquisition or ``name`` would lead elsewhere: tables may hold any words.
    """
    from components.contract.errors import ParameterError  # noqa: PLC0415
    from components.contract.keys import is_key  # noqa: PLC0415

    for word in (options.acquisition, name):
        if "/" in word or not is_key(word):
            raise ParameterError(
                f"{word!r} is no name of a file", next_step="name an acquisition and a model of the tables"
            )
    return Path(options.out / options.acquisition / name)


def _publish(report: Document, options: argparse.Namespace, place: Path) -> None:
    """Write a report and its picture, and print one of them."""
    from components.drift.picture import draw  # noqa: PLC0415
    from components.lib.files import write_json  # noqa: PLC0415

    write_json(place.with_name(f"{place.name}.json"), report)
    draw(report, place.with_name(f"{place.name}.png"))
    print(json.dumps(report, indent=2, sort_keys=True) if options.json else _words(report, place))
    report_result({key: report[key] for key in ("acquisition", "drifted", "p_value", "shifted")})


def _read_reference(options: argparse.Namespace) -> Reference:
    from components.contract.errors import MissingInputError  # noqa: PLC0415
    from components.contract.hashing import sha256_bytes  # noqa: PLC0415
    from components.lib.drift.reference import Reference, find_champion, read_reference  # noqa: PLC0415
    from components.lib.drift.tiles import MOST_BYTES, decoded  # noqa: PLC0415
    from components.lib.folders import read_bounded  # noqa: PLC0415
    from components.lib.objects.opening import objects_from_environment  # noqa: PLC0415

    if options.model is not None:
        objects = objects_from_environment()
        return read_reference(objects, find_champion(objects, options.model))
    if not options.reference.is_file():
        raise MissingInputError(
            f"{options.reference} is no file",
            next_step="make it with `python -m components.drift reference --out FILE`",
        )
    content = read_bounded(
        options.reference, str(options.reference), MOST_BYTES, next_step="name a reference"
    )
    return Reference(tiles=decoded(content, str(options.reference)), sha256=sha256_bytes(content))


def _words(report: Document, place: Path) -> str:
    """Return a report in words."""
    locations, shifted = report["locations"], report["shifted"]
    told = [
        f"{report['acquisition']} ({report['sensor']}{', simulated' if report['simulated'] else ''}): "
        f"{locations['acquisition']} locations against {locations['reference']}",
        f"it {'differs' if report['drifted'] else 'does not differ'} from the reference: p = "
        f"{report['p_value']:.4g} over {len(report['statistics'])} statistics"
        + (f"; shifted: {', '.join(shifted)}" if shifted else ""),
    ]
    if report["request"] is not None:
        told.append(f"a retraining is asked for: entry {report['request']['seq']} of ledger/requests")
    told.append(f"report: {place}.json, picture: {place}.png")
    return "\n".join(told)


def _requests(options: argparse.Namespace) -> None:
    from components.lib.objects.opening import objects_from_environment  # noqa: PLC0415
    from components.lib.operations.requests import RetrainingRequests  # noqa: PLC0415

    found = RetrainingRequests(objects_from_environment()).all()
    if options.json:
        print(json.dumps([{"seq": e.seq, "time": e.time, **asdict(r)} for e, r in found], indent=2))
        return
    for entry, request in found:
        print(
            f"{entry.time}  {request.acquisition}: differs from the tiles of {request.model} version "
            f"{request.version} (p = {request.p_value:.4g}): {', '.join(request.shifted)}"
        )
    if not found:
        print("no retraining is asked for")


if __name__ == "__main__":
    run(main)
