"""What is learnt: one file per kind of objective."""
