"""Shards → tensors: the table of jets, the PyG data set (dataset.py), and the batches of an epoch (loading/).

Also ``scores.parquet`` (scores.py), which training and inference both write.
"""
