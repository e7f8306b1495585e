"""Events to point clouds: objects, their nodes, selections, images as points, resampling."""
