"""Run a command as a unit confines it, without systemd: `confined.py UNIT SOCKET COMMAND...`.

It applies what the kernel enforces by seccomp (system calls, kinds of sockets, no memory both
written and executed) and by limits (core dumps), and no new privileges. Restrictions of files,
addresses and users need systemd itself.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import resource
import socket
import sys

from tests.hosting.units import Unit, system_calls

ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | errno.EPERM
EQUAL = 4  # a comparison of libseccomp
MASKED = 7
NO_NEW_PRIVILEGES = 38
FAMILIES = range(64)
SHM_EXEC = 0o100000
LISTENING = 3  # file descriptor of the first socket that systemd passes on


class Comparison(ctypes.Structure):
    """`struct scmp_arg_cmp`; with MASKED, `one` is the mask and `other` the value to compare."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("how", ctypes.c_int),
        ("one", ctypes.c_uint64),
        ("other", ctypes.c_uint64),
    )


def confine(unit: Unit) -> None:
    """Confine this process and the programs that it executes."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p

    def load(otherwise: int, then: int, rules: list[tuple[str, list[Comparison]]]) -> None:
        context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(otherwise)))
        for name, compared in rules:
            number = library.seccomp_syscall_resolve_name(name.encode())
            if number >= 0:  # else a call of another processor architecture
                arguments = (Comparison * len(compared))(*compared)
                done = library.seccomp_rule_add_array(
                    context, ctypes.c_uint32(then), number, len(compared), arguments
                )
                assert done == 0, f"{name}: {done}"
        assert library.seccomp_load(context) == 0

    assert ctypes.CDLL(None).prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
    resource.setrlimit(resource.RLIMIT_CORE, (int(unit.value("LimitCORE")),) * 2)
    os.umask(int(unit.value("UMask"), 8))
    families = {getattr(socket, name) for name in unit.value("RestrictAddressFamilies").split()}
    refused = [
        ("socket", [Comparison(0, EQUAL, family, 0)])
        for family in FAMILIES
        if family not in families
    ]
    if unit.value("MemoryDenyWriteExecute") == "yes":
        both = mmap.PROT_WRITE | mmap.PROT_EXEC
        refused.append(("mmap", [Comparison(2, MASKED, both, both)]))
        refused += [
            (name, [Comparison(2, MASKED, mmap.PROT_EXEC, mmap.PROT_EXEC)])
            for name in ("mprotect", "pkey_mprotect")
        ]
        refused.append(("shmat", [Comparison(2, MASKED, SHM_EXEC, SHM_EXEC)]))
    load(ALLOW, REFUSE, refused)
    load(REFUSE, ALLOW, [(name, []) for name in sorted(system_calls(unit) | {"seccomp", "prctl"})])


if __name__ == "__main__":
    _, name, descriptor, *command = sys.argv
    os.dup2(int(descriptor), LISTENING)
    os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
    confine(Unit.read(name))
    os.execv(command[0], command)
