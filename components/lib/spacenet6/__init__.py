"""Conventions of the SpaceNet 6 release: names of tiles, strips and products."""

from components.lib.spacenet6.naming import PRODUCTS, TileName

__all__ = ["PRODUCTS", "TileName"]
