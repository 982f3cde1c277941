"""Maps of whole scenes: blocks of ground, their probabilities, and buildings that no block border cuts."""
