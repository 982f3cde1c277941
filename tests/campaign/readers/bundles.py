"""Model bundles: model.json and safetensors."""

from __future__ import annotations

import hashlib
import json
import shutil
from functools import partial
from pathlib import Path
from random import Random

import torch

from components.lib.cli import run
from components.lib.nets.bundle import load_bundle, save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.nets.sealed import SIGNATURE, WEIGHTS
from components.lib.nets.sensorset import use_sensor
from tests.campaign.mutations import BINARY, TEXT, mutate_bytes, mutate_value
from tests.campaign.processes import preload, run_forked
from tests.campaign.readers.base import SingleReader
from tests.campaign.verdicts import Judgement, judged

SENSOR = "simulated-airborne"


class Bundles(SingleReader):
    """Bundles with a damaged file; what loads must predict and say what the undisturbed one does."""

    name = "bundle"

    def set_up(self) -> None:
        """Save a small network; predict with it undisturbed."""
        sound = self.fresh("sound")
        ended = run_forked(partial(_save, sound / "model"), sound)
        assert ended.code == 0, ended.stderr
        self.sound = sound / "model"
        ended = preload(partial(predict, self.sound), sound)
        assert ended.code == 0, ended.stderr
        self.right = ended.stdout

    def judge_one(self, seed: int) -> Judgement:
        """Load one bundle."""
        rng = Random(seed)
        folder = self.fresh("case")
        shutil.copytree(self.sound, folder / "model")
        described = rng.choice((_signature, _signature, _signature, _text, _weights, _file))(
            rng, folder / "model"
        )
        ended = run_forked(partial(predict, Path("model")), folder)
        accepted = None if ended.stdout == self.right else "loaded, and predicts or says something else"
        return judged(
            self.name, seed, described, ended, names=(SIGNATURE, WEIGHTS, "model"), accepted=accepted
        )


def _save(folder: Path) -> None:
    torch.manual_seed(0)
    config = NetworkConfig(
        kind="deeplabv3plus",
        encoder="timm-mobilenetv3_small_minimal_100",
        decoder_channels=16,
        sensors=(SENSOR, "simulated-spaceborne"),
        sensor_specific=True,
    )
    save_bundle(folder, build_network(config), {"simulated": True, "threshold": 0.4})


def predict(folder: Path) -> None:
    """Run in the child: load the bundle, predict a fixed tile, print the digest and the metadata."""

    def main() -> None:
        torch.set_num_threads(1)
        net = load_bundle(folder)
        image = torch.linspace(0, 255, 4 * 64 * 64).reshape(1, 4, 64, 64)
        digest = hashlib.sha256()
        with torch.no_grad():
            for sensor in net.config.sensors:
                with use_sensor(net, sensor):
                    output = net(image)
                values = output if isinstance(output, torch.Tensor) else next(iter(vars(output).values()))
                digest.update(values.numpy().tobytes())
        print(json.dumps([digest.hexdigest(), net.metadata, net.config.model_dump(mode="json")]))

    run(main)


def _signature(rng: Random, folder: Path) -> str:
    path = folder / SIGNATURE
    described, changed = mutate_value(rng, json.loads(path.read_text()))
    path.write_text(json.dumps(changed), encoding="utf-8", errors="surrogatepass")
    return f"{SIGNATURE}: {described}"


def _text(rng: Random, folder: Path) -> str:
    path = folder / SIGNATURE
    if rng.random() < 0.2:
        path.write_text(f'{{"format": {"[" * 100_000}{"]" * 100_000}}}')
        return f"{SIGNATURE}: lists 100,000 deep"
    described, content = mutate_bytes(rng, path.read_bytes(), TEXT)
    path.write_bytes(content)
    return f"{SIGNATURE}: {described}"


def _weights(rng: Random, folder: Path) -> str:
    path = folder / WEIGHTS
    described, content = mutate_bytes(rng, path.read_bytes(), BINARY)
    path.write_bytes(content)
    if rng.random() < 0.5:
        # Damage that the SHA-256 agrees with: a writer's fault, not the disk's.
        signature = json.loads((folder / SIGNATURE).read_text())
        signature["weights_sha256"] = hashlib.sha256(content[:-1]).hexdigest()
        (folder / SIGNATURE).write_text(json.dumps(signature))
    return f"{WEIGHTS}: {described}"


def _file(rng: Random, folder: Path) -> str:
    path = folder / rng.choice((SIGNATURE, WEIGHTS))
    kind = rng.choice(("removed", "a folder", "a dangling link", "both swapped", "a link to itself"))
    if kind == "both swapped":
        (folder / SIGNATURE).rename(folder / "x")
        (folder / WEIGHTS).rename(folder / SIGNATURE)
        (folder / "x").rename(folder / WEIGHTS)
        return kind
    path.unlink()
    if kind == "a folder":
        path.mkdir()
    elif kind != "removed":
        path.symlink_to("nowhere" if kind == "a dangling link" else path.name)
    return f"{path.name} {kind}"
