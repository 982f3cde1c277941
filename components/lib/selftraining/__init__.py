"""Class-balanced self-training: pseudo-labels of an unlabelled sensor (reference adaptation 1.7)."""
