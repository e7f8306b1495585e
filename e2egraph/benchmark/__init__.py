"""Measurements of speed and size, each with both sides of its ratios in one run (DESIGN §9)."""
