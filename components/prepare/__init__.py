"""Stage 3: pair, align, rasterise, split by location, and write the training store."""
