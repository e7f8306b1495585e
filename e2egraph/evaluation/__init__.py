"""Evaluation: scores, metrics, plots and comparison tables."""
