"""Runs next to each other on the same objects."""
