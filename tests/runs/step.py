"""Commands of the tests' pipeline: `python components/steps/step.py NAME`, quick, and counted in COUNT."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from components.contract.errors import BadDataError
from components.lib.cli import run


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


def prepare() -> None:
    write("data/prepared/a/x.txt", "x" * 100)
    write("data/prepared/y.txt", "y")
    write("reports/prepare/metrics.json", '{"tiles": 3}')
    reason = "tile-7 SAR: all_zero: share of zeros is 1, allowed is at most 0.5"
    header = "acquisition,image_id,product,rule,reason"
    write("data/validated/quarantine.csv", f'{header}\ncommitted,tile-7,SAR,all_zero,"{reason}"\n')


def distill(method: str) -> None:
    write(f"models/sar/{method}/w.txt", method + Path("data/prepared/y.txt").read_text())
    write(f"reports/distill/{method}/curve.csv", "step,loss\n1,0.5\n")


def evaluate() -> None:
    found = sorted(Path("models/sar").rglob("w.txt")) + sorted(Path("reports/distill").rglob("curve.csv"))
    write("reports/evaluate/report/index.html", "<h1>Report</h1>")
    write("reports/evaluate/report/tiles/map.html", "<h1>Map</h1>")
    write("reports/evaluate/table.txt", "\n".join(f"{path}: {path.read_text()}" for path in found))


def promote() -> None:
    outcome = os.environ.get("OUTCOME", "promoted")
    part = {"outcome": outcome, "reasons": ["the gain is +0.1"]}
    models = {"stormsight-sar": part}
    if change := os.environ.get("OUTCOME_OF_CHANGE"):
        models["stormsight-change"] = {"outcome": change, "reasons": ["it finds sheds"]}
    decision = {"simulated": True, "models": models}
    write("reports/promote/decision.json", json.dumps(decision))


def fail(how: str) -> None:
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        write(os.environ["HELD"], str(os.getpid()))
        signal.pause()
    raise BadDataError("strip 7: no tile is left", next_step="land it again")


def main() -> None:
    name, *arguments = sys.argv[1:]
    with Path(os.environ["COUNT"]).open("a") as handle:
        handle.write(" ".join([name, *arguments]) + "\n")
    if how := os.environ.get(f"FAIL_{name}"):
        fail(how)
    globals()[name](*arguments)


if __name__ == "__main__":
    run(main)
