"""What particle flow is learnt from and held to: true particles, their links to cells and tracks, a muon system."""
