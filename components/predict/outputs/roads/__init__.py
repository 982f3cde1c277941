"""What shows the road graph of a map: its numbers, vector tiles and page."""
