"""Training store of pairs: tiles of both dates and their labels in few large files, and crops of them."""
