"""Concepts that stages share, one folder or module each; none imports a stage."""
