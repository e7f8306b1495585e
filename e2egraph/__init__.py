"""End-to-end jet tagging on point clouds of detector deposits."""

__version__ = "0.1.0"
