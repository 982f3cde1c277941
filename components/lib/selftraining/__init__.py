"""Class-balanced self-training: pseudo-labels of an unlabelled sensor (docs/methods/adaptation.md)."""
