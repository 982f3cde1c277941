"""Training of change networks: declaration of a method, augmentation, loss, schedule, task."""
