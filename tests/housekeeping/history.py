"""Trainings played into an object store and a DVC remote."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml

from components.contract.hashing import seal
from components.housekeeping.parameters import Places
from components.lib.ledger.chain import Chain
from components.lib.objects.content import content_key
from components.lib.objects.sealed import create_sealed
from components.lib.operations.decisions import ClaimRequest
from components.lib.operations.events import Registered
from components.lib.operations.operations import Operations
from components.lib.operations.plan import RunPlan

START = datetime.now(UTC) + timedelta(days=200)
"""Objects are written now; histories play later, so that everything is old enough to go."""

LEASE = timedelta(hours=72)


@dataclass
class History:
    """Stores that trainings are played into.

    Attributes:
        places: Where the state lies.
        now: The time.
    """

    places: Places
    now: datetime = START
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def operations(self) -> Operations:
        return Operations(self.places.objects, clock=lambda: self.now)

    def register(self, name: str = "first") -> None:
        entry = b"{}"
        sha256 = hashlib.sha256(entry).hexdigest()
        self.places.objects.create(f"catalogue/{name}.json", entry)
        self.operations.register(Registered(acquisition=name, catalogue_sha256=sha256, marker_sha256=sha256))

    def claim(self, params: str) -> RunPlan:
        """Begin a training; every word is a training of its own."""
        if not self.operations.state().registered:
            self.register()
        request = ClaimRequest(
            run=f"run-{next(self.numbers)}",
            code="0" * 64,
            params=hashlib.sha256(params.encode()).hexdigest(),
        )
        plan = self.operations.claim(request, lease=LEASE)
        assert isinstance(plan, RunPlan)
        return plan

    def stage(self, plan: RunPlan, name: str, *contents: str) -> set[str]:
        """Record a stage that made a folder of these files; hashes of all it put into the remote."""
        hashes = [self.content(text.encode()) for text in contents]
        files = [{"md5": md5, "relpath": str(number)} for number, md5 in enumerate(hashes)]
        listing = self.content(json.dumps(files).encode(), suffix=".dir")
        code = {"path": "components/x", "hash": "md5", "md5": "f" * 32 + ".dir"}
        made = {"path": f"data/{name}", "hash": "md5", "md5": listing}
        lock = {"cmd": "python", "deps": [code], "outs": [made]}
        record = {"stage": name, "lock": lock}
        create_sealed(self.places.objects, f"work/{plan.key}/stages/{name}.json", record)
        cache = hashlib.sha256(f"{plan.key} {name}".encode()).hexdigest()
        self.places.remote.put(f"runs/{cache[:2]}/{cache}/{cache}", yaml.safe_dump(lock).encode())
        return {*hashes, listing}

    def content(self, content: bytes, suffix: str = "") -> str:
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest() + suffix
        self.places.remote.put(content_key(md5), content)
        return md5

    def checkpoint(self, plan: RunPlan, stage: str) -> None:
        for name, content in {
            "aaaa": b"weights",
            "manifest.json": seal({"files": {"last.ckpt": "aaaa"}}),
        }.items():
            self.places.objects.put(f"work/{plan.key}/checkpoints/{stage}/{name}", content)

    def succeed(self, plan: RunPlan, **record: Any) -> None:
        create_sealed(self.places.objects, f"work/{plan.key}/record.json", {"run": plan.run, **record})
        self.operations.succeeded(plan.run, record_sha256="0" * 64, promoted=False)

    def training(self, word: str, **record: Any) -> tuple[RunPlan, set[str]]:
        """A whole training, four days long; its plan and the hashes of its data."""
        plan = self.claim(word)
        hashes = self.stage(plan, "prepare", f"tiles of {word}", "shared tiles")
        hashes |= self.stage(plan, "optical", f"weights of {word}")
        self.checkpoint(plan, "optical")
        self.succeed(plan, **record)
        self.now += timedelta(days=4)
        return plan, hashes

    def champion(self, version: str, decision: str, action: str = "promote") -> None:
        chain = Chain(self.places.objects, "ledger/champions/stormsight-sar")
        entries = chain.entries()
        body = {"action": action, "version": version, "decision": decision}
        chain.append(entries[-1] if entries else None, body)

    def approval(self, decision: str) -> None:
        chain = Chain(self.places.objects, "ledger/approvals/stormsight-sar")
        entries = chain.entries()
        chain.append(entries[-1] if entries else None, {"event": "requested", "decision": decision})

    def remaining(self, hashes: set[str]) -> set[str]:
        """Those of ``hashes`` whose content is still in the remote."""
        return {md5 for md5 in hashes if self.places.remote.exists(content_key(md5))}

    def records(self, plan: RunPlan) -> list[str]:
        """Keys of what is kept of a training."""
        objects = self.places.objects
        return [i.key for p in (f"work/{plan.key}/", f"runs/{plan.run}/") for i in objects.list(p)]
