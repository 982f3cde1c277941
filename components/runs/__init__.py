"""Runs of the pipeline, stage by stage, on whichever machine a stage's process happens to be.

``plan`` claims what is to be trained, ``stage`` runs one DVC stage in an empty workspace and keeps its result
under a deterministic key, ``finish`` puts the results together, ``gate`` tells whether a model was promoted.
"""
