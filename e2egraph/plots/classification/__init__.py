"""Figures of classifications."""
