"""Decision on change models: challenger and champion on the test pairs of a data set of two dates."""
