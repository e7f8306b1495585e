"""Reading point clouds next to reading dense images."""
