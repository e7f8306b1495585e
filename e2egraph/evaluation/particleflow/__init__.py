"""Particle flow compared: rules, truth, perfect association and networks, in jets, missing momentum and particles."""
