"""Training on Lightning: the module, the data module, recipes and run folders."""
