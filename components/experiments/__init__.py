"""What each method is worth: a grid of trainings on one world and one budget, scored on held-out ground."""
