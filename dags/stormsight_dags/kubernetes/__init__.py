"""Stages as pods, for any orchestrator: the manifest, questions to the API, and the class of a failure."""
