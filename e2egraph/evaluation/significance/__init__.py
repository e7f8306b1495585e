"""Expected significance of a counting experiment: yields at a luminosity, scanned over a score, next to cuts."""
