"""The two kinds of failure a user meets; both are printed as one sentence, without a traceback."""


class InputError(Exception):
    """Bad input or failed work (exit code 1). The message names the file, branch, jet or option and the mend."""


class UsageError(Exception):
    """A command used wrongly (exit code 2), such as an unknown model name or a malformed ``--set``."""
