"""Grid of trainings on one world and one budget, scored on held-out ground: the evidence for each method."""
