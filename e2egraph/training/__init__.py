"""Training on Lightning: recipes, the module, the data module, run folders. ``train.train`` and ``load.load_run``."""
