"""What holds for every test."""

from hypothesis import settings

# No test fails for being slow: speed is measured by the benchmarks, and a busy machine is no fault of the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
