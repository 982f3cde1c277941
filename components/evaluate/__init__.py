"""Stage: score every model on held-out ground."""
