"""The memory of a process, which holds keys and answers, is kept from core dumps and debuggers."""

import ctypes
import os
import resource

_PR_SET_DUMPABLE = 4  # <sys/prctl.h>


def forbid_dumps() -> None:
    """Let nobody but root dump or trace this process and its children. Raises OSError.

    A child that executes another program can be traced again, but leaves no core dump.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
