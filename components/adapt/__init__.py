"""Stage: adapt the SAR network to a sensor without labels (LoveCS: CSN and class-balanced self-training)."""
