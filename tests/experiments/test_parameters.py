from __future__ import annotations

from pathlib import Path

import yaml

from components.experiments.parameters import ParameterOverlay
from components.lib.config.loader import load_parameters
from components.lib.engine.parameters import TrainingParameters
from components.lib.tracking.parameters import TrackingParameters


def test_a_trials_parameter_file_reads_like_any_other(repository: Path, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    parameters = ParameterOverlay(repository / "params.yaml", "evidence-gpu")
    path.write_text(parameters.document({"training": {"lr": 0.5}}, {"training": {"seed": 3}}))
    training = load_parameters("training", TrainingParameters, path)
    assert (training.lr, training.seed, training.encoder) == (0.5, 3, "efficientnet-b3")
    assert load_parameters("tracking", TrackingParameters, path).uri == "none"


def test_the_budget_is_the_same_for_every_seed_and_another_for_another_budget(
    repository: Path, tmp_path: Path
) -> None:
    path = tmp_path / "params.yaml"
    document = yaml.safe_load((repository / "params.yaml").read_text())

    def budget(**training: object) -> str:
        path.write_text(yaml.safe_dump({**document, "training": {**document["training"], **training}}))
        return ParameterOverlay(path, "evidence").budget_hash()

    before = budget()
    assert budget(seed=99) == before == budget(checkpoint_every=7)
    assert budget(weight_decay=0.123) != before
