"""Assets whose events start the DAGs."""

from __future__ import annotations

from airflow.sdk import Asset, AssetAlias

ACQUISITIONS = Asset(name="acquisitions", uri="stormsight://acquisitions")
"""Asset with one event per registered acquisition, named in its ``extra``. An event is a hint: the DAG it
starts reads the ledger and takes all that is pending, so lost, doubled and reordered events do no harm."""

ANNOUNCEMENTS = AssetAlias(name="acquisition-announcements")
"""Alias by which one task emits several events of one asset. Partition keys would do so too, but an event
with a partition key starts no DAG whose schedule is a time as well (``AssetOrTimeSchedule``)."""

REDRIVE = Asset(name="redrive", uri="stormsight://redrive")
"""Asset with one event per look that found a training to be started again."""

MODEL = Asset(name="model", uri="stormsight://model")
"""Asset with one event per promotion."""
