"""A folder in which the evidence command runs on a tiny store with stages that train nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml

from components.experiments.session import Options, run_grid
from components.lib.nets.bundle import save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.csn import convert_to_csn
from components.lib.nets.factory import build_network
from tests.evaluate.worlds import AIRBORNE, SPACEBORNE, write_tiny_store
from tests.experiments.toy_grid import GRID, STAGE

META = {"image": "data", "cpu": 1, "memory": "1Gi", "gpu": 0, "retry": "data"}
SCORING = {
    "cmd": "python -m components.evaluate",
    "deps": ["components/lib/scoring"],
    "params": ["evaluate"],
    "meta": META,
}
"""Stage whose library code decides what a score is."""


def write_bundles(folder: Path) -> None:
    """Untrained networks: what they say does not matter here."""
    common = {"encoder": "timm-mobilenetv3_small_minimal_100", "decoder_channels": 16, "sensors": [AIRBORNE]}
    kinds = {
        "teacher": {"kind": "deeplabv3plus", "modality": "optical"},
        "plain": {"kind": "deeplabv3plus"},
        "student": {"kind": "disoptnet"},
        "adapted": {"kind": "deeplabv3plus"},
    }
    for seed, (name, kind) in enumerate(kinds.items()):
        torch.manual_seed(seed)
        net = build_network(NetworkConfig.model_validate({**common, **kind}))
        if name == "adapted":
            convert_to_csn(net, (AIRBORNE, SPACEBORNE))
        save_bundle(folder / name, net, {})


class Workspace:
    """The folder, and how to run there.

    Attributes:
        folder: The working directory.
        control: Where the toy stage finds bundles and instructions, and notes that it ran.
    """

    def __init__(self, folder: Path, bundles: Path) -> None:
        self.folder, self.control = folder, folder / "control"
        self.control.mkdir()
        for bundle in bundles.iterdir():
            (self.control / bundle.name).symlink_to(bundle)
        write_tiny_store(folder / "store")
        self.root = folder / "root"
        self.code("one")
        stage = {
            "cmd": f"python -m {STAGE}",
            "deps": ["components/toy"],
            "params": ["training", "optical"],
            "meta": META,
        }
        (self.root / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"toy": stage, "evaluate": SCORING}}))
        self.write_params()

    def code(self, text: str) -> None:
        """Edit the code that the stage depends on."""
        path = self.root / "components/toy/code.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {text}\n")

    def write_params(self, **sections: Any) -> None:
        document = {
            "profile": "other",
            "training": {"seed": 0, "lr": 0.1, "log_every": 10},
            "optical": {"width": 1},
            "adapt": {"target": SPACEBORNE},
            "scoring": {"threshold": 0.5, "min_area_px": 80, "iou": 0.5},
            "evaluate": {
                "confidence": 0.9,
                "pictures": 1,
                "device": "cpu",
            },
            "tracking": {},
            "evidence": {"seeds": [1, 2], "ablation_seeds": [1], "jobs": 2},
            "profiles": {"other": {}, "evidence": {"training": {"lr": 0.2}}},
        }
        (self.folder / "params.yaml").write_text(yaml.safe_dump(document | sections))

    def options(self, **more: Any) -> Options:
        return Options(**{"store": Path("store"), "grid": GRID, **more})

    def run(self, **more: Any) -> int:
        return run_grid(self.options(**more))

    def ran(self) -> list[str]:
        """Model and seed of every run of the stage since the last call."""
        path = self.control / "ran"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return sorted(lines)
