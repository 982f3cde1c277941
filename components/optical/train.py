"""Training of the optical teacher (reference 1.2, and 1.5 stage 1)."""

from __future__ import annotations

from pathlib import Path

from components.contract.errors import ParameterError
from components.lib.engine.crops import crop_batches
from components.lib.engine.inputs import optical_statistics, paired_rows, paired_sensor, steps_of
from components.lib.engine.loop import seed_everything
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.provenance import provenance
from components.lib.engine.stage import StageRun
from components.lib.engine.supervised import SupervisedTask
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.store.store import Store
from components.optical.parameters import OpticalParameters, TeacherKind

MODEL_FOLDER = Path("models/optical")


def batch_of(training: TrainingParameters, optical: OpticalParameters) -> TrainingParameters:
    """Section `training` with the teacher's own batch size, where it has one."""
    return training if optical.batch is None else training.model_copy(update={"batch": optical.batch})


def kinds_to_train(optical: OpticalParameters, processes: int) -> list[TeacherKind]:
    """The networks in order, DeepLabV3+ first: its folder holds those of the others.

    Raises:
        ParameterError: If there are several, and several processes: those of a torchrun end with a training.
    """
    kinds = sorted(set(optical.kinds))
    if processes > 1 and len(kinds) > 1:
        raise ParameterError(
            f"optical.kinds: {len(kinds)} networks, but the {processes} processes of a torchrun train one",
            next_step=f"set optical.kinds to one of {', '.join(kinds)} and start torchrun once for each",
        )
    return kinds


def prepare_run(
    store: Store,
    training: TrainingParameters,
    optical: OpticalParameters,
    kind: TeacherKind = "deeplabv3plus",
) -> StageRun:
    """Network, crops and steps of one teacher.

    Args:
        store: With one sensor whose train tiles have optical images.
        training: Section `training`, batch size as :func:`batch_of` gives it.
        optical: Section `optical`.
        kind: Which network; all but DeepLabV3+ go into a folder of their own.

    Raises:
        BadDataError: If the store has no such tiles.
        ParameterError: If the encoder is unknown, or the crop larger than a tile.
    """
    sensor = paired_sensor(store)
    rows = paired_rows(store, sensor, "train")
    mean, std = optical_statistics()
    seed_everything(training.seed)
    net = build_network(
        NetworkConfig(
            kind=kind,
            encoder=training.encoder,
            encoder_weights=training.encoder_weights,
            decoder_channels=training.decoder_channels,
            modality="optical",
            sensors=(sensor,),
            input_mean=mean,
            input_std=std,
            contours=training.contour_weight > 0,
        )
    )
    task = SupervisedTask(net, training.contour_weight)
    task.crop = training.crop
    own = "" if kind == "deeplabv3plus" else kind
    layers = ("optical", "target")
    return StageRun(
        name=f"optical/{own}".rstrip("/"),
        task=task,
        net=net,
        batches=crop_batches(store, sensor, rows, layers, training, rot90=optical.rot90),
        steps=steps_of(optical.epochs, len(rows), optical.crops_per_tile, training.batch),
        epochs=optical.epochs,
        store=store,
        sensor=sensor,
        provenance=provenance("optical", store, training, optical),
        model_folder=MODEL_FOLDER / own,
    )
