"""Road graphs and the metrics that compare them."""
