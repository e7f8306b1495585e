"""Networks: every one is forward(points, features, mask, jet) → raw numbers of the outputs (DESIGN §7)."""
