"""The stage from a distilled network to an adapted one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from components.adapt.labels import LabelFolder
from components.adapt.parameters import AdaptParameters
from components.adapt.report import flat, write_curve
from components.adapt.run import ADAPTED, CHECKPOINTS, REPORTS, AdaptRun
from components.adapt.survey import class_shares
from components.contract.errors import BadDataError, ParameterError
from components.lib.datasets.sensors import get_sensor
from components.lib.engine.inputs import paired_rows
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.provenance import code_hash, provenance
from components.lib.engine.ranks import ranks
from components.lib.files import sha256_file, write_json
from components.lib.nets.bundle import WEIGHTS, load_bundle, save_bundle
from components.lib.nets.network import SegmentationNetwork
from components.lib.selftraining.pseudolabels import PseudoLabelSettings
from components.lib.selftraining.scales import FACTORS, scales_of
from components.lib.store.store import Store
from components.lib.tracking.parameters import TrackingParameters
from components.lib.tracking.run import track_run

LOG = logging.getLogger(__name__)
STORE = Path("data/prepared")
SOURCES = Path("models/sar")


def adapt(
    parameters: AdaptParameters, training: TrainingParameters, tracking: TrackingParameters
) -> dict[str, Any]:
    """Adapt ``models/sar/<start_from>`` to the target; writes ``models/adapted`` and ``reports/adapt``.

    Returns:
        The content of ``metrics.json``.

    Raises:
        MissingInputError: If the network or the store is absent.
        ParameterError: If the target is unknown, or a sensor that the network already knows; under torchrun
            with several processes.
        BadDataError: If one of the sensors has no train tiles.
    """
    if not ranks().alone:
        raise ParameterError(
            "adapt labels the target's tiles between steps, which one process must do; torchrun started "
            f"{ranks().world}",
            next_step="run `python -m components.adapt` without torchrun",
        )
    start = SOURCES / parameters.start_from
    net = load_bundle(start)
    if parameters.target is None:
        return _publish_unchanged(net, parameters)
    if parameters.lr is not None:
        training = training.model_copy(update={"lr": parameters.lr})
    run = prepare_run(net, Store.open(STORE), parameters, training, parameters.target)
    with track_run(tracking, "adapt", params=run.provenance, tags=run.tags) as tracked:
        metrics = run.execute(tracked)
        tracked.log_metrics(flat(metrics), run.steps)
    return metrics


def prepare_run(
    net: SegmentationNetwork,
    store: Store,
    parameters: AdaptParameters,
    training: TrainingParameters,
    target: str,
) -> AdaptRun:
    """Check that ``net`` can be adapted to ``target`` with the tiles of ``store``.

    Raises:
        ParameterError: If the target is unknown, or a sensor that the network already knows; if the network
            is adapted already in another way; if a scale is out of range.
        BadDataError: If the target has no train tiles.
    """
    source = net.config.sensors[0]
    _check_network(net, parameters, target)
    rows = store.rows(target, "train")
    if len(rows) == 0:
        raise BadDataError(
            f"adapt.target: {target} has no train tile in {store.folder}",
            next_step="see the splits in reports/prepare/metrics.json; a larger world fills them",
        )
    shares = class_shares(store, source, paired_rows(store, source, "train"))
    settings = PseudoLabelSettings(
        portion=parameters.portion,
        scales=parameters.scales or stored_scales(store, source, target, parameters.factors or FACTORS),
        fusion=parameters.fusion,
        prior=shares if parameters.balance == "prior" else None,
    )
    facts = {
        "start_from_sha256": sha256_file(SOURCES / parameters.start_from / WEIGHTS),
        "selftraining_code_sha256": code_hash(["lib/selftraining"]),
    }
    return AdaptRun(
        net=net,
        store=store,
        source=source,
        target=target,
        parameters=parameters,
        training=training,
        labels=LabelFolder(CHECKPOINTS / "pseudo-labels", store, target, rows, settings, net.config.classes),
        truth_shares=shares,
        provenance=provenance("adapt", store, training, parameters, **facts),
    )


def stored_scales(store: Store, source: str, target: str, factors: tuple[float, ...]) -> tuple[float, ...]:
    """Scales of pseudo-labelling from the pixels of the store's grids; the index says what they measure."""
    index = store.index
    ours, theirs = (
        float(index.loc[index["sensor"] == sensor, "gsd_m"].median()) for sensor in (source, target)
    )
    return scales_of(ours, theirs, factors)


def _check_network(net: SegmentationNetwork, parameters: AdaptParameters, target: str) -> None:
    config = net.config
    if target in config.sensors:
        raise ParameterError(
            f"adapt.target: models/sar/{parameters.start_from} already knows {target!r}",
            next_step="set adapt.target to a sensor without labels, or to null to publish it unchanged",
        )
    for key in ("normalisation", "inputs", "stems") if config.sensor_specific else ():
        had, wanted = getattr(config, key), getattr(parameters, key)
        if had != wanted:
            raise ParameterError(
                f"adapt.{key} is {wanted!r}, but models/sar/{parameters.start_from} is adapted already, "
                f"with {had!r}",
                next_step=f"set adapt.{key} to {had!r}, or start from a network of one sensor",
            )


def _publish_unchanged(net: SegmentationNetwork, parameters: AdaptParameters) -> dict[str, Any]:
    """Without a target there is nothing to adapt to: the same weights, and a report that says so."""
    source = net.config.sensors[0]
    LOG.warning(
        "adapt.target is null: models/sar/%s is published unchanged, for %s alone",
        parameters.start_from,
        source,
    )
    metrics: dict[str, Any] = {
        "adapted": False,
        "start_from": parameters.start_from,
        "source": source,
        "target": None,
        "simulated": get_sensor(source).simulated,
        "steps": 0,
    }
    save_bundle(ADAPTED, net, {**net.metadata, "adapted": False})
    write_curve(REPORTS / "curve.csv", [])
    write_json(REPORTS / "metrics.json", metrics)
    return metrics
