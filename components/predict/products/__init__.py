"""Objects of a map beside its probabilities, by the task of the network: footprints, or a road graph."""
