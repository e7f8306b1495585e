"""Shards → tensors: the table of jets, the epoch plan, padded batches (loader.py) and the PyG data set (dataset.py).

Also ``scores.parquet`` (scores.py), which training and inference both write.
"""
