"""State of the whole pipeline on one page, for the person on duty.

A source that cannot be read is a line that says so: it never hides what the other sources hold. Nothing is
written, except for MLflow's experiment where a server has none yet.
"""
