"""Scores of change: pixels, changed parts, protocols of prediction, seeds."""
