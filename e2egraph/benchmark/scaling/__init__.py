"""Time of training steps with more processes, larger batches and more cores."""
