"""Score of predicted change against the truth: folders of masks, or footprints."""
