from __future__ import annotations

from pathlib import Path

import pytest
import torch

from components.adapt.batches import adaptation_batches
from components.adapt.labels import LabelFolder
from components.lib.engine.batch import to_batch
from components.lib.selftraining.pseudolabels import PseudoLabelSettings
from tests.adapt.two_sensors import SOURCE, TARGET, make_store, training

CPU = torch.device("cpu")


@pytest.mark.parametrize("truth", [False, True])
def test_both_sensors_may_lie_on_the_device(tmp_path: Path, truth: bool) -> None:
    store = make_store(tmp_path / "prepared")
    settings = PseudoLabelSettings(portion=0.33, scales=(1.0,))
    labels = LabelFolder(tmp_path / "labels", store, TARGET, store.rows(TARGET, "train"), settings)
    host, device = (
        adaptation_batches(
            store,
            source=SOURCE,
            source_rows=store.rows(SOURCE, "train"),
            labels=labels,
            training=training(store=where, crop=48, scale_jitter=(0.8, 1.2)),
            first_target_step=2,
            target_truth=truth,
        )
        for where in ("host", "device")
    )
    for step in (0, 2, 7):
        expected, got = to_batch(host(step), CPU), to_batch(device(step), CPU)
        assert list(got) == list(expected)
        assert ("target_labels" in got) == (truth and step >= 2)
        assert all(torch.equal(got[name], expected[name]) for name in expected)
