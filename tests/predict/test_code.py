"""The code in a map's id: all that pixels and footprints depend on, and nothing of training."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from components.contract.identity import ROOT
from components.lib.sources import closure, source_of
from components.predict import code
from components.predict.code import BESIDE, PATH, code_files, mapping_code, mapping_modules

MAPS = """
import json, sys
from pathlib import Path
import numpy as np
from components.predict.looks import looks_of
from components.predict.mapping import SceneMap
from components.predict.rules import MapRules
from components.predict.parameters import MapParameters
from components.lib.config.scoring import ScoringSettings
from components.lib.nets.bundle import load_bundle, save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from types import SimpleNamespace
from components.lib.geo.raster import write_geotiff
from rasterio.transform import Affine
config = NetworkConfig(kind="deeplabv3plus", encoder="timm-mobilenetv3_small_minimal_100",
                       decoder_channels=16, sensors=("simulated-airborne",))
save_bundle(Path("model"), build_network(config), {})
values = np.random.default_rng(0).uniform(5, 90, (4, 80, 80)).astype(np.float32)
write_geotiff(Path("scene.tif"), values, transform=Affine(0.5, 0, 592000, 0, -0.5, 5750000), crs="EPSG:32631")
looks = looks_of(["scene.tif"], sensor="simulated-airborne", modality="sar", orientation=0,
                 scratch=Path("scratch"))
model = SimpleNamespace(net=load_bundle(Path("model")), name="m", version="", weights_sha256="0" * 64,
                        promoted=False, simulated=True, item_href=None)
rules = MapRules(MapParameters(window_px=64, overlap_px=16, block_px=64, outlines="regular"),
                 ScoringSettings(min_area_px=1))
class Store(dict):
    uri = "memory:"
    exists = dict.__contains__
    get = dict.__getitem__
    def create(self, key, content):
        self[key] = content
        return True
opened, store = SceneMap("m-0", looks, lambda: model, rules), Store()
opened.map_blocks(range(len(opened.blocks)), store, "b/")
Path("out").mkdir()
opened.write_blocks(store, "b/", Path("out"))
print(json.dumps(sorted(name for name in sys.modules if name.split(".")[0] == "components")))
"""
"""Script that makes blocks and outputs of a map, and prints the modules of ours that it imported."""


def test_every_module_that_maps_a_scene_counts(tmp_path: Path) -> None:
    """Blocks and outputs of a map are made in a fresh process; what it imports for them is in the hash."""
    done = subprocess.run(
        [sys.executable, "-c", MAPS],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert loaded <= mapping_modules() | closure(*BESIDE)
    assert {"components.lib.mapping.forward", "components.predict.outputs.footprints"} <= loaded


def test_code_of_training_registry_and_change_detection_does_not_count() -> None:
    packages = {module.split(".")[2] for module in mapping_modules() if module.startswith("components.lib.")}
    assert packages.isdisjoint(
        {"change", "losses", "selftraining", "registry", "tracking", "ledger", "report"}
    )
    assert {"geo", "mapping", "nets", "architectures", "datasets", "tasks"} <= packages


def test_networks_that_are_found_by_name_count() -> None:
    assert {
        "components.lib.architectures.deeplab",
        "components.lib.architectures.two_branch",
        "components.lib.methods.dmsd",
        "components.lib.nets.parts",
    } <= mapping_modules()
    assert "components.lib.methods.concord" not in mapping_modules()


@pytest.mark.parametrize("module", [*PATH, *BESIDE])
def test_what_is_named_exists_and_is_imported(module: str) -> None:
    assert source_of(module) is not None
    assert module in closure(*PATH)


def test_the_hash_follows_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = code_files()
    assert ROOT / "components/predict/scenes/strip.py" in files
    copies = []
    for path in files:
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
        copies.append(copy)
    monkeypatch.setattr(code, "ROOT", tmp_path)
    monkeypatch.setattr(code, "code_files", lambda: copies)
    assert mapping_code.__wrapped__() == mapping_code()
    copies[0].write_text("changed")
    assert mapping_code.__wrapped__() != mapping_code()
