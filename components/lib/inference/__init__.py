"""From an image to probabilities: views, windows, and whole tiles."""
