"""Service that makes maps of scenes with a promoted model."""
