"""Evaluation: figures with errors, ``evaluate``, paired comparisons of taggers, the baseline, plots, jet displays."""
