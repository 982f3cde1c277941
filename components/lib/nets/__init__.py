"""Segmentation networks: teacher, students, LoveCS's networks, per-sensor layers, bundles."""
