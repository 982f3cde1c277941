"""The optical teacher: DeepLabV3+ on paired optical images with the SAR release's labels (reference 1.2)."""
