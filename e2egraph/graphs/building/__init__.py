"""How a data set is built: planned, worked on by processes, counted, and put together."""
