"""Training of an optical teacher: network, crops and steps."""

from __future__ import annotations

from pathlib import Path

from components.contract.errors import ParameterError
from components.contract.hashing import sha256_file
from components.lib.engine.crops import crop_batches
from components.lib.engine.inputs import labelled_rows, paired_sensor
from components.lib.engine.optical import optical_network
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.provenance import provenance
from components.lib.engine.stage import StageRun
from components.lib.files import require_input
from components.lib.methods.base import Teacher
from components.lib.nets.bundle import load_bundle
from components.lib.nets.network import SegmentationNetwork
from components.lib.nets.sealed import WEIGHTS
from components.lib.store.store import Store
from components.optical.parameters import OpticalParameters

MODELS = Path("models/optical")
PRETRAINED = Path("models/pretrain")
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
        MissingInputError: If the teacher starts from a pre-trained one that is not there.
        ParameterError: If the encoder is unknown, the crop larger than a tile, roads are to have contours, or
            the pre-trained teacher is another network.
    """
    sensor = paired_sensor(store)
    rows = labelled_rows(store, sensor, optical.label_share)
    if optical.batch is not None:
        training = training.model_copy(update={"batch": optical.batch})
    net = optical_network(teacher.kind, store.task, sensor, training)
    facts = {} if optical.start is None else {"pretrained_sha256": start_from(PRETRAINED / teacher.kind, net)}
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
        provenance=provenance(
            f"optical@{teacher.kind}", store, training, {"optical": optical.teacher}, **facts
        ),
        model_folder=MODELS / teacher.kind,
    )


def start_from(folder: Path, net: SegmentationNetwork) -> str:
    """Give ``net`` all weights of a pre-trained network, and return the SHA-256 of these.

    Args:
        folder: Folder of the pre-trained network.
        net: Network of the same configuration.

    Raises:
        MissingInputError: If it was not pre-trained.
        BadDataError: If the weights are damaged.
        ParameterError: If the pre-trained network has another configuration.
    """
    found = load_bundle(require_input(folder, made_by="pretrain"), modality="optical")
    kept, wanted = found.config.model_dump(), net.config.model_dump()
    # Where the encoder began and where the threshold lies is no part of the network's shape.
    for name in sorted(kept.keys() - {"threshold", "encoder_weights"}):
        if kept[name] != wanted[name]:
            raise ParameterError(
                f"optical.start: {folder} has {name} {kept[name]!r}, this training {wanted[name]!r}",
                next_step="run `dvc repro pretrain` to pre-train it as params.yaml says now",
            )
    net.load_state_dict(found.state_dict())
    return sha256_file(folder / WEIGHTS)
