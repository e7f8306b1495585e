"""Readers of input files: one file per format, one registry."""
