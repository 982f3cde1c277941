"""Run one command of the components in a pod, as the DAGs would: same image, account, secrets and limits.

    .venv/bin/python k8s/command.py k8s/overlays/cloud/deployment.yaml python -m components.promote history

It uses kubectl with your own rights: create, watch and delete pods, and read their logs, in the namespace of
the deployment file. The exit code is the command's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCE = "/app"
"""Folder of params.yaml in the images, which some commands look for in their working folder."""

START_S = 600
"""Seconds until the container runs; most of them for the image's pull."""


def main() -> int:
    """Start the pod, show its log, remove it; return the command's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("deployment", type=Path, help="deployment.yaml of the overlay")
    parser.add_argument("--image", choices=("data", "train"), default="data", help="(%(default)s)")
    parser.add_argument(
        "--account",
        choices=("data", "train", "map", "ledger", "housekeeping"),
        default="ledger",
        help="whose rights it has (%(default)s)",
    )
    parser.add_argument("--memory", default="2Gi", help="(%(default)s)")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what to run")
    options = parser.parse_args()
    pod = manifest(options)
    name, space = pod["metadata"]["name"], pod["metadata"]["namespace"]
    kubectl("create", "-f", "-", stdin=json.dumps(pod))
    try:
        return follow(name, space)
    finally:
        kubectl("-n", space, "delete", "pod", name, "--wait=false")


def manifest(options: argparse.Namespace) -> dict[str, Any]:
    """Return the pod."""
    sys.path[:0] = [str(ROOT), str(ROOT / "dags")]
    from components.contract.actor import current_actor  # noqa: PLC0415
    from components.contract.variables import ACTOR  # noqa: PLC0415
    from components.contract.work import Requirements, Work  # noqa: PLC0415
    from stormsight_dags.kubernetes.manifest import pod_template  # noqa: PLC0415
    from stormsight_dags.settings.load import load_settings  # noqa: PLC0415

    settings = load_settings({**os.environ, "STORMSIGHT_DEPLOYMENT": str(options.deployment)})
    needs = Requirements(image=options.image, memory=options.memory)
    work = Work(tuple(options.command), needs, account=options.account)
    pod = pod_template(settings, work, "command")
    name = f"command-{uuid.uuid4().hex[:8]}"
    pod["metadata"] |= {"name": name, "namespace": settings.cluster.namespace}
    pod["spec"]["activeDeadlineSeconds"] = 3600
    container = pod["spec"]["containers"][0]
    container |= {"command": options.command, "workingDir": SOURCE}
    # Who asked for it, and not the pod: ledger entries name the person.
    container["env"].append({"name": ACTOR, "value": current_actor()})
    return pod


def follow(name: str, space: str) -> int:
    """Show a pod's log until its container has ended; return the exit code, or 69 if it does not start."""
    end = time.monotonic() + START_S
    while not (state := container_state(name, space)).keys() & {"running", "terminated"}:
        if time.monotonic() > end:
            sys.stderr.write(f"pod {name} did not start: {json.dumps(state)}\n")
            return 69
        time.sleep(1)
    kubectl("-n", space, "logs", "--follow", name, stdout=None)
    while "terminated" not in (state := container_state(name, space)):
        time.sleep(1)
    return int(state["terminated"]["exitCode"])


def container_state(name: str, space: str) -> dict[str, Any]:
    """Return ``running``, ``terminated`` or ``waiting`` with details; empty before a node has the pod."""
    status = json.loads(kubectl("-n", space, "get", "pod", name, "-o", "json"))["status"]
    for container in status.get("containerStatuses", ()):
        return dict(container["state"])
    return {}


def kubectl(*words: str, stdin: str | None = None, stdout: int | None = subprocess.PIPE) -> str:
    """Run kubectl, which reports errors itself; return its output."""
    words = ("kubectl", *words)
    done = subprocess.run(words, input=stdin, stdout=stdout, text=True, check=True)  # noqa: S603 - our words
    return done.stdout or ""


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
