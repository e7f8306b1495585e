"""What the detector sees of particles: tracks, hits, vertices, showers."""
