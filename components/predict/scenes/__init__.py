"""Readers of scenes: files, tile folders and shards, local or in a bucket, as pixels of a ground grid."""
