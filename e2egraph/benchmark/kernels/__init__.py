"""Time and memory of graph networks against the number of nodes."""
