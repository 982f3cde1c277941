"""Data sets and sensors, declared as data."""
