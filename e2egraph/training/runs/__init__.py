"""A run's folder: configuration, checkpoints, history, logs, and how a run goes on."""
