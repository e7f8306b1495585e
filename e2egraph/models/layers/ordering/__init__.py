"""Nodes in an order along a curve: cutting it into blocks, and merging neighbours along it."""
