"""Service: acquisitions that land in a bucket or folder are checked, catalogued and registered."""
