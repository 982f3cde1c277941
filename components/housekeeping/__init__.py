"""What nobody needs any more goes, by policy; what must not change is checked.

``prune`` removes old run records, checkpoints of finished trainings, and data that no kept record names.
``verify`` checks every ledger and what it vouches for. Neither looks into MLflow: its artefacts stay.
"""
