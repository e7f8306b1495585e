"""Networks: every one is forward(points, features, mask, jet) → logits (DESIGN §6)."""
