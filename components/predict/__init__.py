"""Maps from scenes: the service that reads scenes, runs a published model over them and writes the maps."""
