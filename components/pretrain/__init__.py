"""Stage: an optical teacher trained on masks of OpenStreetMap, for another one to start from."""
