"""Building changes between two maps of the same ground: files and a page."""
