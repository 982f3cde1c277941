"""Comparison of change networks: sizes, controls, exchange of channels, and kinds of images."""
