"""Pre-training of an optical teacher: network, crops with masks of OpenStreetMap, and steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from components.contract.hashing import sha256_folder
from components.lib.engine.crops import crop_batches
from components.lib.engine.inputs import paired_rows, paired_sensor
from components.lib.engine.loop import FitResult
from components.lib.engine.optical import optical_network
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.provenance import provenance
from components.lib.engine.stage import StageRun
from components.lib.files import require_input
from components.lib.methods.base import Teacher
from components.lib.store.store import Store
from components.pretrain.masks import LAYER, LowestLossTask, MaskTask, StoreWithMasks
from components.pretrain.parameters import PretrainParameters

MODELS = Path("models/pretrain")
MASKS = Path("data/osm")


class ReleasedRun(StageRun):
    """Pre-training without validation: the weights of the lowest training loss, and no score."""

    @property
    def kept(self) -> LowestLossTask:
        """The task, which keeps these weights."""
        return cast("LowestLossTask", self.task)

    def finish(self, result: FitResult) -> None:
        """Give the network the weights that were kept."""
        self.kept.restore()

    def metrics(self, result: FitResult) -> dict[str, Any]:
        """Return the lowest loss and the facts of the training."""
        return {
            "loss": float(self.kept.lowest),
            "split": "none",
            "sensor": self.sensor,
            **self.facts(),
        }

    def tracked_metrics(self, metrics: dict[str, Any]) -> dict[str, float]:
        """Return the lowest loss."""
        return {"lowest_loss": metrics["loss"]}

    def headline(self, details: dict[str, Any]) -> dict[str, float]:
        """Return loss and time."""
        return {name: details[name] for name in ("loss", "seconds")}


def prepare_run(
    teacher: Teacher, store: Store, training: TrainingParameters, pretrain: PretrainParameters
) -> StageRun:
    """Return the pre-training of one teacher on the train tiles' masks.

    Args:
        teacher: The kind of teacher.
        store: With one sensor whose train tiles have optical images.
        training: Section `training`.
        pretrain: Section `pretrain`.

    Raises:
        MissingInputError: If stage `osm` has not drawn the masks.
        BadDataError: If the store has no such tiles, or the masks are of other ones.
        ParameterError: If the encoder is unknown, the crop larger than a tile, or roads are to have contours.
    """
    sensor = paired_sensor(store)
    rows = paired_rows(store, sensor, "train")
    if pretrain.batch is not None:
        training = training.model_copy(update={"batch": pretrain.batch})
    masks = require_input(MASKS / store.task, made_by=f"osm@{store.task}")
    net = optical_network(teacher.kind, store.task, sensor, training)
    supervised = teacher.supervision(net)
    steps = pretrain.steps(len(rows), training.batch)
    task = (
        LowestLossTask(supervised, steps // pretrain.epochs) if pretrain.as_released else MaskTask(supervised)
    )
    task.crop = training.crop
    layers = ("optical", LAYER)
    batches = crop_batches(StoreWithMasks(store, masks), sensor, rows, layers, training, rot90=pretrain.rot90)
    run = ReleasedRun if pretrain.as_released else StageRun
    return run(
        name=f"pretrain/{teacher.kind}",
        task=task,
        net=net,
        batches=batches,
        steps=steps,
        epochs=pretrain.epochs,
        store=store,
        sensor=sensor,
        training=training,
        provenance=provenance(
            f"pretrain@{teacher.kind}",
            store,
            training,
            {"pretrain": pretrain.teacher},
            masks_sha256=sha256_folder(masks),
        ),
        model_folder=MODELS / teacher.kind,
    )
