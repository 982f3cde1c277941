"""Metrics: counts and their ratios, the SpaceNet building score, average precision, intervals by location."""
