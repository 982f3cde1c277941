"""The training store: few large files from which a crop is read without decoding a tile."""
