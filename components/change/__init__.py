"""Stage `change`: train a network that compares two dates."""
