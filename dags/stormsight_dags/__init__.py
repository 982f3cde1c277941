"""Orchestration of ``dvc.yaml``: ``airflow/`` for Airflow; all beside it serves other orchestrators too."""
