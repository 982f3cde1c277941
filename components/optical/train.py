"""Training of an optical teacher: network, crops and steps."""

from __future__ import annotations

from pathlib import Path

from components.lib.engine.crops import crop_batches
from components.lib.engine.inputs import optical_statistics, paired_rows, paired_sensor
from components.lib.engine.loop import seed_everything
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.provenance import provenance
from components.lib.engine.stage import StageRun
from components.lib.methods.base import Teacher
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.nets.parts import aspp_rates
from components.lib.store.store import Store
from components.optical.parameters import OpticalParameters

MODELS = Path("models/optical")
DEFAULT_KIND = "deeplabv3plus"


def prepare_run(
    teacher: Teacher, store: Store, training: TrainingParameters, optical: OpticalParameters
) -> StageRun:
    """Return the training of one teacher.

    Args:
        teacher: The kind of teacher.
        store: With one sensor whose train tiles have optical images.
        training: Section `training`.
        optical: Section `optical`.

    Raises:
        BadDataError: If the store has no such tiles.
        ParameterError: If the encoder is unknown, the crop larger than a tile, or roads are to have contours.
    """
    sensor = paired_sensor(store)
    rows = paired_rows(store, sensor, "train")
    if optical.batch is not None:
        training = training.model_copy(update={"batch": optical.batch})
    mean, std = optical_statistics()
    seed_everything(training.seed)
    net = build_network(
        NetworkConfig(
            kind=teacher.kind,
            encoder=training.encoder,
            encoder_weights=training.encoder_weights,
            decoder_channels=training.decoder_channels,
            aspp_rates=aspp_rates(training.aspp_rates, training.crop),
            aspp_dropout=training.aspp_dropout,
            modality="optical",
            task=store.task,
            sensors=(sensor,),
            input_mean=mean,
            input_std=std,
            contours=training.wants_contours(store.task),
        )
    )
    task = teacher.task(net, training)
    task.crop = training.crop
    return StageRun(
        name=f"optical/{teacher.kind}",
        task=task,
        net=net,
        batches=crop_batches(store, sensor, rows, teacher.layers, training, rot90=optical.rot90),
        steps=optical.steps(len(rows), training.batch),
        epochs=optical.epochs,
        store=store,
        sensor=sensor,
        training=training,
        provenance=provenance(f"optical@{teacher.kind}", store, training, {"optical": optical.teacher}),
        model_folder=MODELS / teacher.kind,
    )
