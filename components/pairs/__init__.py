"""Stage pairs: a data set of pairs of dates into a training store of change."""
