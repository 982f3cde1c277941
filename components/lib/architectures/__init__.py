"""Network architectures that several methods share; a method's own is in its module."""
