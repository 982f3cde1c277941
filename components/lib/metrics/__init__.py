"""What is measured: the SpaceNet building score, pixel scores, average precision, and their intervals."""
