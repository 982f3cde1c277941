"""Public data sets of change: declarations, readers, label codings, splits, and leaks between splits."""
