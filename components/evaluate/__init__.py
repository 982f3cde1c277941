"""Score every model on held-out ground and write the report."""
