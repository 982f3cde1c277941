"""A stage that trains nothing: it publishes a given bundle, its weights signed with its parameters.

``python -m tests.experiments.toy_stage <bundle> <model folder> <reports folder>``.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import struct
import sys
import time
from pathlib import Path

import yaml

from components.contract.hashing import sha256_json


def signed(weights: bytes, words: str) -> bytes:
    """The same tensors with a note in the header: other bytes, the same network."""
    (length,) = struct.unpack("<Q", weights[:8])
    header = {**json.loads(weights[8 : 8 + length]), "__metadata__": {"made_from": words}}
    content = json.dumps(header).encode()
    return struct.pack("<Q", len(content)) + content + weights[8 + length :]


def stop(number: int, frame: object) -> None:
    del number, frame
    Path("stopped").write_text("by request")
    sys.exit(143)


def main() -> None:
    signal.signal(signal.SIGTERM, stop)
    bundle, model, reports = sys.argv[1:]
    # Not through the loader: what it imports would cost more than all else here.
    document = yaml.safe_load(Path("params.yaml").read_text())
    overlay = document["profiles"][document["profile"]]
    parameters = {name: document[name] | overlay.get(name, {}) for name in ("training", "optical")}
    control = Path(os.environ["TOY_CONTROL"])
    with (control / "ran").open("a") as log:
        log.write(f"{model} {parameters['training']['seed']}\n")
    print("step 1 of 1")
    if (control / f"fail-{model.replace('/', '-')}").exists():
        print("error: the disk is full", file=sys.stderr)
        sys.exit(71)
    while (control / f"hang-{model.replace('/', '-')}").exists() and not Path("stopped").exists():
        time.sleep(0.05)
    upstream = sorted(hashlib.sha256(p.read_bytes()).hexdigest() for p in Path("models").rglob("weights.*"))
    source, folder = control / bundle, Path("models") / model
    folder.mkdir(parents=True, exist_ok=True)
    weights = signed((source / "weights.safetensors").read_bytes(), json.dumps([parameters, upstream]))
    (folder / "weights.safetensors").write_bytes(weights)
    signature = json.loads((source / "model.json").read_text())
    signature["weights_sha256"] = hashlib.sha256(weights).hexdigest()
    signature["seal"] = sha256_json({name: value for name, value in signature.items() if name != "seal"})
    (folder / "model.json").write_text(json.dumps(signature))
    (Path("reports") / reports).mkdir(parents=True, exist_ok=True)
    metrics = {"iou": 0.5, "seconds": 1.5, "steps": 3}
    (Path("reports") / reports / "details.json").write_text(json.dumps(metrics))


if __name__ == "__main__":
    main()
