"""One run of the pipeline, stage by stage, wherever a stage's process happens to stand.

``plan`` claims what is to be trained, ``stage`` runs one DVC stage in an empty workspace and keeps its result
under a deterministic key, ``finish`` puts the results together, ``gate`` tells whether a model was promoted.
"""
