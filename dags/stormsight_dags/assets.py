"""The assets that tie the DAGs together."""

from __future__ import annotations

from airflow.sdk import Asset, AssetAlias

ACQUISITIONS = Asset(name="acquisitions", uri="stormsight://acquisitions")
"""One event per registered acquisition; its ``extra`` names it. An event is a hint: whoever reacts reads the
ledger and takes everything that is pending there, so lost, doubled and reordered events do no harm."""

ANNOUNCEMENTS = AssetAlias(name="acquisition-announcements")
"""The way for one task to emit several events of one asset. Partition keys would do so too, but an event with
a partition key starts no DAG whose schedule is a time as well (``AssetOrTimeSchedule``)."""

MODEL = Asset(name="model", uri="stormsight://model")
"""An event per promotion."""
