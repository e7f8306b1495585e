"""How each objective is learnt: losses, weights, and the figures of an epoch. An objective is one file."""
