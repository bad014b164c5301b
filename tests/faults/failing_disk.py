"""The application on a disk that fails: system calls of SQLite end with EIO, by seccomp.

`python -m tests.faults.failing_disk OFFSET COMMAND...` runs a `flask` command that cannot read the
page at that place of a file. SQLite alone uses these calls; Python has others.
"""

from __future__ import annotations

import ctypes
import errno
import sys

from tests.hosting.confined import ALLOW, EQUAL, Comparison

FAIL = 0x00050000 | errno.EIO
ALL_THREADS = 4  # an attribute of libseccomp
READ = ("pread64",)
WRITE = ("pwrite64",)
FLUSH = ("fsync", "fdatasync")
OFFSET = 3  # the argument of pread64


def fail(*calls: str, at: int | None = None) -> None:
    """Let these system calls fail in this process for ever, or only those at a place of a file."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(ALLOW)))
    assert library.seccomp_attr_set(context, ALL_THREADS, ctypes.c_uint32(1)) == 0
    compared = [] if at is None else [Comparison(OFFSET, EQUAL, at, 0)]
    arguments = (Comparison * len(compared))(*compared)
    for name in calls:
        number = library.seccomp_syscall_resolve_name(name.encode())
        done = library.seccomp_rule_add_array(
            context, ctypes.c_uint32(FAIL), number, len(compared), arguments
        )
        assert done == 0, f"{name}: {done}"
    assert library.seccomp_load(context) == 0


if __name__ == "__main__":
    from flask.cli import main

    _, offset, *command = sys.argv
    fail(*READ, at=int(offset))
    sys.argv = ["flask", *command]
    main()
