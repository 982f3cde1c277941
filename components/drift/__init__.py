"""Drift: holds an acquisition against what the champion was trained on, and asks for a retraining."""
