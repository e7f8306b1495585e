"""Image networks: they rasterise the point cloud on the device and read no other input."""
