"""Shards → tensors: the PyG data set, the epoch sampler and the padded batch."""
