"""Masks of roads to road graphs: skeleton, chains of pixels, pruning, gaps, widths."""
