"""Service: removal of old records, checkpoints and data by policy, and checks of the ledgers.

``prune`` removes old run records, checkpoints of finished trainings, and data and deliveries that no kept
training needs, also while something trains.
``verify`` checks every ledger and the objects whose hashes it holds. Neither looks into
MLflow: its artefacts stay.
"""
