"""Hyperparameter search with Optuna: space, study, trials, workers, results. ``search.tune`` is the entry."""
