"""The second date of the rehearsal world, and pairs of images of both dates."""
