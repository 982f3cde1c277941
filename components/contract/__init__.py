"""Facts that stages, services and the orchestrator share: standard library and PyYAML only."""
