"""History of trainings for people on duty: runs, stages, failures, decisions and costs, read from records."""
