"""Where events come from: every source yields the one Awkward event record, or points of jet images (schema.py)."""
