"""The documentation builds, and its commands run."""
