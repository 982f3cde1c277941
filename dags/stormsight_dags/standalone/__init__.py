"""Airflow on one machine: its parts started in order, owned, and ended together."""
