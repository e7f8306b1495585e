"""The detector: geometry of the barrel, and a table of the layers that nodes come from."""
