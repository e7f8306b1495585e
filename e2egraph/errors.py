"""The kinds of failure a user meets; all are printed as one sentence, without a traceback."""


class InputError(Exception):
    """Bad input or failed work (exit code 1). The message names the file, branch, jet or option and what to do."""


class UnfinishedError(InputError):
    """Work stopped for a reason other than its input: a full disk or memory, a server that does not answer, a dead
    worker. What was finished before stays, and the same command goes on from it."""


class UsageError(Exception):
    """A command used wrongly (exit code 2), such as an unknown model name or a malformed ``--set``."""


class Stopped(Exception):  # noqa: N818 (no error: it was asked for)
    """Work stopped on request, with all of it saved; the message says how it goes on. ``code``: the exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def first_line(error: BaseException) -> str:
    """The first line of another library's message that says anything; the name of its class where none does."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
