"""The commands, one a file: parse, call, print. Heavy imports stand inside the functions."""
