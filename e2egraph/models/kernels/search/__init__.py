"""Nearest neighbours: in few coordinates, in many features, by a tree, and the choice of the smallest."""
