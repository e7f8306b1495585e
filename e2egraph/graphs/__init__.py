"""Events → point clouds on disk: selection, truth, resampling, nodes, shards, build."""
