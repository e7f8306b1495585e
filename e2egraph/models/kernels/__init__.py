"""Node mixers: one a file, forward(x [B, N, D], points, mask) → [B, N, D]."""
