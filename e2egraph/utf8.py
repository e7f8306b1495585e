"""Programs that read, write and print UTF-8 in every locale."""

from __future__ import annotations

import codecs
import locale
import os
import sys

# Python's own switch, which processes that are started inherit.
_SWITCH = "PYTHONUTF8"


def use_utf8() -> None:
    """Start the running program again in Python's UTF-8 mode where the locale has another encoding.

    Names of files are UTF-8 then as well, in every library and every process that this one starts: a data set made
    under one locale is that of any other.
    """
    if codecs.lookup(locale.getencoding()).name == "utf-8" or sys.flags.utf8_mode or os.environ.get(_SWITCH) == "1":
        return
    if sys.executable:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, _SWITCH: "1"})
