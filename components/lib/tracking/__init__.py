"""Runs in MLflow: connection, parameters, and tracking that never fails a stage."""
