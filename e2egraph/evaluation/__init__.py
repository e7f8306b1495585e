"""Evaluation: metrics with bootstrap errors, ``evaluate``, the baseline, comparison tables, plots and jet displays."""
