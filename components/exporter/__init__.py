"""Service: metrics for Prometheus, read from ledgers, records and the object store. It writes nothing."""
