"""Training on Lightning Fabric: recipes, loop, exact resumption, run folders. ``train.train`` and ``load.load_run``."""
