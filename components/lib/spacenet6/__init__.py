"""Conventions of the SpaceNet 6 release: names of tiles, strips and products."""
