"""Where nodes lie: places in η and φ, pixels of the region, and sums over what is near."""
