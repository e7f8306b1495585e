"""Few tokens out of many nodes: tracks keep their identity, hits and calorimeter deposits are pooled into cells."""
