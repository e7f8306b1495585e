"""Figures of merit with their errors."""
