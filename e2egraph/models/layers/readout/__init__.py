"""From vectors of nodes to outputs: pooling over an object, heads, and outputs of each node."""
