"""Change between two dates: pairs and their data sets, networks, methods and scores."""
