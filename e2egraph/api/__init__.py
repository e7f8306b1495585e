"""The functions and classes of ``import e2egraph``; the commands call the same ones."""
