"""Publication of promoted versions: their files and STAC items in the object store's catalogue.

It follows a change of a champion and never undoes one. Whatever is missing of earlier changes, because the
process was killed or the store did not answer, is made up for by the next promotion, or by ``python -m
components.promote publish``.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from components.contract import keys
from components.contract.errors import StormsightError
from components.contract.hashing import sha256_file
from components.lib.catalogue.bundles import store_bundle
from components.lib.catalogue.decisions import Decision
from components.lib.catalogue.documents import encode, write_until_settled
from components.lib.catalogue.models import FILES, ModelRelease, model_collection, model_item
from components.lib.catalogue.root import refresh_root
from components.lib.files import read_json
from components.lib.objects.conditional import require_conditional_writes
from components.lib.objects.opening import objects_from_environment
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import checked
from components.lib.registry.agreement import ChampionReader
from components.lib.registry.ledger import ChampionEntry, ChampionLedgers
from components.lib.tracking.connection import Connection
from components.promote.kept import kept_record
from components.promote.presentation import PURPOSES

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publication of the versions in the champions' ledgers.

    Attributes:
        connection: Connection to MLflow, which holds files and decision records.
        ledgers: Champions' ledgers.
        objects: Object store of the catalogue.
    """

    connection: Connection
    ledgers: ChampionLedgers
    objects: ObjectStore

    def publish(self, models: Sequence[str]) -> tuple[list[str], list[StormsightError]]:
        """Publish what is missing, and write the documents above anew; one failure stops no other version.

        Args:
            models: Registered models.

        Returns:
            Sentences about what was published, and failures.
        """
        done, failures = list[str](), list[StormsightError]()
        promoted = False
        for model in models:
            try:
                entries = self.ledgers.of(model).entries()
                if not entries:
                    continue
                promoted = True
                require_conditional_writes(self.objects)
                self._publish_missing(entries, done, failures)
                self._refresh(model)
            except StormsightError as error:
                failures.append(error)
        if promoted:
            try:
                refresh_root(self.objects)
            except StormsightError as error:
                failures.append(error)
        return done, failures

    def publish_after_change(self, models: Sequence[str]) -> None:
        """Publish after a change of a champion, which stands whatever comes of it; failures are told."""
        done, failures = self.publish(models)
        for words in done:
            LOG.info("%s", words)
        for error in failures:
            LOG.warning(
                "the change stands, but not all of it is in the catalogue: %s; run `python -m "
                "components.promote publish` later (%s)",
                error.message,
                error.next_step,
            )

    def _publish_missing(
        self, entries: Sequence[ChampionEntry], done: list[str], failures: list[StormsightError]
    ) -> None:
        known = set(self._published(entries[0].change.model))
        for version, entry in first_promotions(entries).items():
            if version in known:
                continue
            try:
                key = self._publish_one(entry)
            except StormsightError as error:
                failures.append(error)
            else:
                done.append(
                    f"{entry.change.model}: version {version} is published at {self.objects.uri}/{key}"
                )

    def _publish_one(self, entry: ChampionEntry) -> str:
        model, version = entry.change.model, str(entry.version)
        name = f"{model} version {version}: its decision record"
        decision = checked(
            kept_record(self.connection, model, version, entry.change.decision), Decision, name=name
        )
        reader = ChampionReader(self.connection, self.ledgers, model)
        with reader.fetched(version) as folder:
            hashes = {name: sha256_file(folder / name) for name in FILES}
            release = ModelRelease(
                entry=entry,
                decision=decision,
                signature=checked(
                    read_json(folder / "model.json", made_by="promote"), dict[str, Any], name="model.json"
                ),
                files=store_bundle(self.objects, model, folder, hashes),
                purpose=PURPOSES.get(model, model),
            )
        self.objects.create(release.key, encode(model_item(release)))
        return release.key

    def _refresh(self, model: str) -> None:
        ledger, key = self.ledgers.of(model), keys.model_collection_key(model)
        write_until_settled(
            lambda: (ledger.entries(), self._published(model)),
            lambda state: self.objects.put(key, encode(model_collection(model, *state))),
        )

    def _published(self, model: str) -> list[str]:
        """Return the versions that have an item, in the order of their promotions."""
        listed = {info.key for info in self.objects.list(f"{keys.MAP_MODELS}{model}/")}
        versions = first_promotions(self.ledgers.of(model).entries())
        return [v for v in versions if keys.model_item_key(model, v) in listed]


def open_publisher(connection: Connection, ledgers: ChampionLedgers) -> Publisher:
    """Return the publisher into the store of ``STORMSIGHT_OBJECTS``, by default ``var/objects``."""
    return Publisher(connection, ledgers, objects_from_environment())


def first_promotions(entries: Sequence[ChampionEntry]) -> dict[str, ChampionEntry]:
    """Return the entry of each version's first promotion, in their order."""
    found: dict[str, ChampionEntry] = {}
    for entry in entries:
        if entry.action == "promote" and entry.version is not None:
            found.setdefault(entry.version, entry)
    return found
