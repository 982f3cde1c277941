"""Runs in MLflow; a tracking failure never costs a trained model."""
