"""Models × inputs × seeds on the same jets: planned, trained, evaluated, compared, written as tables and plots."""
