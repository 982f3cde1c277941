"""The rehearsal world: a procedural city imaged as SpaceNet 6 was. Everything made here is simulated."""

from components.lib.simulate.parameters import WorldParameters
from components.lib.simulate.release import ReleaseFile, count_files, products_of, release_files

__all__ = ["ReleaseFile", "WorldParameters", "count_files", "products_of", "release_files"]
