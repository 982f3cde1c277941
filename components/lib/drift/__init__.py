"""Drift: statistics of an acquisition, held against those of the ground a model was trained on."""
