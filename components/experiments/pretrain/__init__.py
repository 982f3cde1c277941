"""Comparison of pre-training on masks of OpenStreetMap, by their errors, with clean labels alone."""
