"""Building changes from two footprint maps of the same ground, without any learning."""
