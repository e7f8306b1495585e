"""Figures of regressed quantities such as masses: in all, in bins, and in two dimensions."""
