"""What one example is: one file per kind of object."""
