"""Where events come from: every source yields the one Awkward event record (schema.py)."""
