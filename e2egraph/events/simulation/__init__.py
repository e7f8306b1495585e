"""Pythia 8 and a CMS-like parametric detector simulation, writing RHTree ROOT."""
