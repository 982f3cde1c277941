"""The rehearsal world: a procedural city imaged as SpaceNet 6 was. Everything made here is simulated."""
