"""Particle flow's events: elements as nodes, true particles as their targets, and what else evaluations need."""
