"""The loop of training: steps, epochs, optimizer, schedule, what watches them."""
