"""From deposits to particles by rules: clusters, elements, and rule-based particle flow. NumPy alone."""
