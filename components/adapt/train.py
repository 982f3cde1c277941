"""Training of an adaptation: checks, the network made sensor-specific, batches, task and steps."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from components.adapt.batches import adaptation_batches
from components.adapt.labels import LabelFolder
from components.adapt.parameters import AdaptParameters
from components.adapt.pseudo_labels import PseudoLabels, round_starts
from components.adapt.run import COLUMNS, AdaptRun, histograms_by_role, scores_by_role
from components.adapt.statistics import band_moments, class_contrast, class_shares, training_crops
from components.adapt.task import AdaptationTask
from components.contract.errors import BadDataError, ParameterError
from components.contract.hashing import sha256_file
from components.lib.datasets.sensors import get_sensor
from components.lib.engine.inputs import paired_rows
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.provenance import provenance
from components.lib.engine.ranks import ranks
from components.lib.engine.run import CHECKPOINTS, write_report
from components.lib.nets.bundle import load_bundle, save_bundle
from components.lib.nets.csn import REFERENCE_MOMENTUM, convert_to_csn
from components.lib.nets.network import SegmentationNetwork
from components.lib.nets.sealed import SIGNATURE, WEIGHTS
from components.lib.selftraining.collapse import CollapseLimits
from components.lib.selftraining.pseudolabels import PseudoLabelSettings
from components.lib.selftraining.scales import FACTORS, scales_of
from components.lib.store.store import Store

Images = Callable[[], Iterable[Tensor]]
"""Gives batches of images, (B, C, H, W) each."""

LOG = logging.getLogger(__name__)
NAME = "adapt"
SOURCES = Path("models/sar")
ADAPTED = Path("models/adapted")


def prepare_run(store: Store, training: TrainingParameters, adapt: AdaptParameters) -> AdaptRun:
    """Return the adaptation of ``models/sar/<start_from>`` to the target.

    The network is scored as it is on both sensors, then its layers are extended by the target.

    Args:
        store: The prepared tiles of both sensors.
        training: Section `training`.
        adapt: Section `adapt`, with a target.

    Raises:
        MissingInputError: If the network is absent.
        ParameterError: If the target is unknown, or a sensor that the network already knows; if the network
            is adapted already in another way; if a scale is out of range; under torchrun with several
            processes.
        BadDataError: If one of the sensors has no train tiles.
    """
    _check_processes()
    net = load_bundle(SOURCES / adapt.start_from, modality="sar", task=store.task)
    if store.task != "buildings":
        raise ParameterError(
            f"adapt.target: networks of {store.task} (prepare.task) are not adapted",
            next_step="set adapt.target to null",
        )
    training = training_of(training, adapt)
    assert adapt.target is not None
    source, target, threshold = net.config.sensors[0], adapt.target, net.config.threshold
    _check_network(net, adapt, target)
    target_rows = _target_rows(store, target)
    source_rows = paired_rows(store, source, "train")
    shares = class_shares(store, source, source_rows)
    settings = _label_settings(store, source, adapt, shares)
    labels = LabelFolder(
        CHECKPOINTS / NAME / "pseudo-labels", store, target, target_rows, settings, net.config.classes
    )
    made_from = _provenance(store, training, adapt)
    unadapted = histograms_by_role(net, store, source, target, training, statistics_of={target: source})
    add_sensor(net, store, adapt, labels, source_rows)
    steps = 0 if adapt.labels == "none" else adapt.steps(len(source_rows), training.batch)
    starts: list[int] = []
    if adapt.labels == "pseudo":
        starts = round_starts(steps, warmup_share=adapt.warmup_share, rounds=adapt.rounds)
    if adapt.labels == "truth":
        LOG.warning("adapt.labels is truth: the target's labels are trained on; for evidence only")
    images = target_images(store, labels, adapt, training)
    pseudo = None
    if starts:
        pseudo = _pseudo_labels(labels, starts, adapt, shares, source=source, source_rows=source_rows)
    task = _task(net, labels, pseudo, adapt, training, images)
    return AdaptRun(
        name=NAME,
        task=task,
        net=net,
        batches=adaptation_batches(
            store,
            source=source,
            source_rows=source_rows,
            labels=labels,
            training=training,
            first_target_step=task.first_target_step,
            target_truth=adapt.labels == "truth",
        ),
        steps=steps,
        epochs=adapt.epochs,
        store=store,
        sensor=target,
        training=training,
        provenance=made_from,
        model_folder=ADAPTED,
        source=source,
        parameters=adapt,
        labels=labels,
        starts=tuple(starts),
        before=scores_by_role(unadapted, threshold),
        target_images=images,
    )


def training_of(training: TrainingParameters, adapt: AdaptParameters) -> TrainingParameters:
    """Return the section `training` with the optimiser's settings that the section `adapt` has of its own."""
    own = {name: getattr(adapt, name) for name in ("lr", "weight_decay", "clip_norm")}
    return training.model_copy(update={name: value for name, value in own.items() if value is not None})


def _target_rows(store: Store, target: str) -> npt.NDArray[np.int64]:
    rows = store.rows(target, "train")
    if len(rows) == 0:
        raise BadDataError(
            f"adapt.target: {target} has no train tile in {store.folder}",
            next_step="see the splits in reports/prepare/details.json; a larger world fills them",
        )
    return rows


def _label_settings(
    store: Store, source: str, adapt: AdaptParameters, shares: tuple[float, ...]
) -> PseudoLabelSettings:
    assert adapt.target is not None
    return PseudoLabelSettings(
        portion=adapt.portion,
        scales=adapt.scales or stored_scales(store, source, adapt.target, adapt.factors or FACTORS),
        fusion=adapt.fusion,
        prior=shares if adapt.balance == "prior" else None,
    )


def _provenance(store: Store, training: TrainingParameters, adapt: AdaptParameters) -> dict[str, Any]:
    # The signature names the code of the network, which the weights alone do not.
    start = {name: sha256_file(SOURCES / adapt.start_from / name) for name in (WEIGHTS, SIGNATURE)}
    return provenance(NAME, store, training, {"adapt": adapt}, start_from_sha256=start)


def _task(  # noqa: PLR0917 - everything that the task is made of
    net: SegmentationNetwork,
    labels: LabelFolder,
    pseudo: PseudoLabels | None,
    adapt: AdaptParameters,
    training: TrainingParameters,
    images: Images | None,
) -> AdaptationTask:
    return AdaptationTask(
        net,
        source=net.config.sensors[0],
        target=labels.sensor,
        first_target_step=0 if pseudo is None else pseudo.starts[0],
        target_weight=adapt.target_weight,
        pseudo=pseudo,
        target_loss="ce_dice" if adapt.labels == "truth" else adapt.target_loss,
        target_images=images,
        contour_weight=training.contour_weight,
        crop=training.crop,
    )


def add_sensor(
    net: SegmentationNetwork,
    store: Store,
    adapt: AdaptParameters,
    labels: LabelFolder,
    source_rows: npt.NDArray[np.int64],
) -> None:
    """Extend, in place, the layers of ``net`` by the target, as the section `adapt` says."""
    source, target = net.config.sensors[0], labels.sensor
    shared = adapt.normalisation == "shared"
    net.config = net.config.model_copy(update={"stems": adapt.stems, "inputs": adapt.inputs})
    convert_to_csn(
        net,
        (*net.config.sensors, target),
        # Shared statistics are those of ordinary batch normalisation, with the encoder's own momentum.
        momentum=None if shared else REFERENCE_MOMENTUM,
        tied=shared,
    )
    if net.sensor_input is not None:
        wanted = band_moments(store, source, source_rows)
        net.sensor_input.match(target, band_moments(store, target, labels.rows), wanted)


def target_images(
    store: Store, labels: LabelFolder, adapt: AdaptParameters, training: TrainingParameters
) -> Images | None:
    """Return what gives the images that the target's own statistics are estimated from; None without such."""
    if adapt.statistics != "reestimated" or adapt.normalisation != "per_sensor":
        return None
    return lambda: training_crops(store, labels.sensor, labels.rows, training)


def stored_scales(store: Store, source: str, target: str, factors: tuple[float, ...]) -> tuple[float, ...]:
    """Return the scales of pseudo-labelling, from the pixel sizes of the store's grids in its index."""
    index = store.index
    ours, theirs = (
        float(index.loc[index["sensor"] == sensor, "gsd_m"].median()) for sensor in (source, target)
    )
    return scales_of(ours, theirs, factors)


def publish_unchanged(adapt: AdaptParameters) -> dict[str, Any]:
    """Publish ``models/sar/<start_from>`` as it is, where there is no target to adapt to.

    Returns:
        The content of ``details.json``.

    Raises:
        MissingInputError: If the network is absent.
    """
    _check_processes()
    net = load_bundle(SOURCES / adapt.start_from, modality="sar")
    source = net.config.sensors[0]
    LOG.warning(
        "adapt.target is null: models/sar/%s is published unchanged, for %s alone", adapt.start_from, source
    )
    metrics: dict[str, Any] = {
        "adapted": False,
        "start_from": adapt.start_from,
        "source": source,
        "target": None,
        "simulated": get_sensor(source).simulated,
        "steps": 0,
    }
    save_bundle(ADAPTED, net, {**net.metadata, "adapted": False})
    write_report(NAME, {"seconds": 0.0}, metrics, [], COLUMNS)
    return metrics


def _pseudo_labels(
    labels: LabelFolder,
    starts: list[int],
    adapt: AdaptParameters,
    shares: tuple[float, ...],
    *,
    source: str,
    source_rows: npt.NDArray[np.int64],
) -> PseudoLabels:
    if adapt.guard is None:
        return PseudoLabels(labels, starts)
    guard = CollapseLimits(**adapt.guard.model_dump())
    contrast = class_contrast(labels.store, source, source_rows)
    return PseudoLabels(labels, starts, guard=guard, truth_shares=shares, truth_contrast=contrast)


def _check_processes() -> None:
    if not ranks().is_single:
        raise ParameterError(
            "adapt labels the target's tiles between steps, which one process must do; torchrun started "
            f"{ranks().world}",
            next_step="run `python -m components.adapt` without torchrun",
        )


def _check_network(net: SegmentationNetwork, adapt: AdaptParameters, target: str) -> None:
    config = net.config
    if target in config.sensors:
        raise ParameterError(
            f"adapt.target: models/sar/{adapt.start_from} already knows {target!r}",
            next_step="set adapt.target to a sensor without labels, or to null to publish it unchanged",
        )
    for key in ("normalisation", "inputs", "stems") if config.sensor_specific else ():
        had, wanted = getattr(config, key), getattr(adapt, key)
        if had != wanted:
            raise ParameterError(
                f"adapt.{key} is {wanted!r}, but models/sar/{adapt.start_from} is adapted already, "
                f"with {had!r}",
                next_step=f"set adapt.{key} to {had!r}, or start from a network of one sensor",
            )
