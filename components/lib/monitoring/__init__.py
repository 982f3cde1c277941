"""Metrics of the installation: their registry, and the values read from records and ledgers."""
