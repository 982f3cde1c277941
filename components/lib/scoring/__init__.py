"""Predicting whole tiles, vectorising, and scoring one network against the truth."""
