"""Airflow on top of the graph and the pod parts: operators, triggers, retry policy, rendering, notices."""
