"""Start a program shut in: little time, memory and disk, its own folder, one port, no way out.

Run as a script by the interpreter alone (`python -I -S launcher.py ORDER COMMAND…`), never imported
by the worker: what it does to itself cannot be undone. ORDER is JSON:

    {"write": [folder], "read": [folder or file, …], "port": number, "parent": process id,
     "limits": {"cpu": s, "memory": bytes, "file": bytes, "files": n}}

What this kernel can do is done, the rest is left out: rlimits everywhere; on Linux files and ports
by Landlock (5.13, ports 6.7), and by seccomp on x86-64 and ARM 64 no socket but TCP's and no way
out of the process group. `probe` in place of COMMAND prints what holds, a word a line.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import resource
import signal
import stat
import struct
import sys
from contextlib import suppress
from typing import Any, Final, NamedTuple

_SET_PDEATHSIG: Final = 1
_SET_NO_NEW_PRIVS: Final = 38
_SET_SECCOMP: Final = 22
_SECCOMP_MODE_FILTER: Final = 2

# --- Landlock -------------------------------------------------------------------------------------

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH, _RULE_PORT = 1, 2
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_READ: Final = _EXECUTE | _READ_FILE | _READ_DIR
_FILE_RIGHTS: Final = _EXECUTE | _WRITE_FILE | _READ_FILE
# Each version of the interface knows more rights; all that is known is denied by default.
_LAST_RIGHT: Final = {1: 12, 2: 13, 3: 14, 4: 14, 5: 15}
_TRUNCATE: Final = 1 << 14
_BIND_AND_CONNECT, _CONNECT = 0b11, 0b10
_SCOPE_SOCKETS_AND_SIGNALS: Final = 0b11


def _shut_in(order: dict[str, Any]) -> set[str]:
    """Restrict files, ports and signals; the words of what holds from now on."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, 0, 1)
    if version < 1:
        return set()
    rights = (1 << (_LAST_RIGHT.get(version, 15) + 1)) - 1
    # Fields that a kernel does not know are not handed to it.
    fields = [rights]
    if version >= 4:
        fields.append(_BIND_AND_CONNECT)
    if version >= 6:
        fields.append(_SCOPE_SOCKETS_AND_SIGNALS)
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        return set()
    for paths, wanted in ((order["read"], _READ), (order["write"], rights & ~_EXECUTE)):
        for path in paths:
            with suppress(OSError):
                _allow(libc, ruleset, path, wanted & rights)
    with suppress(OSError):
        _allow(libc, ruleset, "/dev/null", _READ_FILE | _WRITE_FILE | (_TRUNCATE & rights))
    for path in ("/dev/urandom", "/dev/random", "/dev/zero"):
        with suppress(OSError):
            _allow(libc, ruleset, path, _READ_FILE)
    if version >= 4 and order["port"]:
        rule = struct.pack("=QQ", _CONNECT, order["port"])
        libc.syscall(_ADD_RULE, ruleset, _RULE_PORT, rule, 0)
    if libc.syscall(_RESTRICT_SELF, ruleset, 0):
        return set()
    os.close(ruleset)
    holds = {"files"}
    if version >= 4:
        holds.add("ports")
    if version >= 6:
        holds.add("signals")
    return holds


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            rights &= _FILE_RIGHTS | _TRUNCATE
        libc.syscall(_ADD_RULE, ruleset, _RULE_PATH, struct.pack("=Qi", rights, handle), 0)
    finally:
        os.close(handle)


# --- seccomp --------------------------------------------------------------------------------------

_DENIED: Final = 0x00050000 | 1  # an error, EPERM
_NOT_KNOWN: Final = 0x00050000 | 38  # ENOSYS, upon which the C library takes another call
_ALLOWED: Final = 0x7FFF0000
_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_NUMBER_AT, _MACHINE_AT, _FIRST_ARGUMENT_AT, _SECOND_ARGUMENT_AT = 0, 4, 16, 24
_INET, _INET6, _STREAM, _KIND_MASK = 2, 10, 1, 0xF
_CLONE3: Final = 435


class _Calls(NamedTuple):
    """Numbers of system calls. machine: the kernel's number for it. limits: rlimits of any process.

    refused: those that are refused whole. Leaving the process group or session; other name spaces;
    looking into another process, taking its files, slowing it down; modes, owners, times and labels
    of files, which Landlock lets pass; and doing any of it through a queue.
    """

    machine: int
    socket: int
    limits: int
    refused: tuple[int, ...]


_MACHINES: Final = {
    "x86_64": _Calls(
        machine=0xC000003E,
        socket=41,
        limits=302,
        refused=(
            *(109, 112, 272, 308, 101, 310, 311, 438, 53, 425),
            *(141, 144, 314, 203, 251),
            *(90, 91, 268, 452, 92, 93, 94, 260, 132, 235, 261, 280),
            *(188, 189, 190, 197, 198, 199, 463, 466),
        ),
    ),
    "aarch64": _Calls(
        machine=0xC00000B7,
        socket=198,
        limits=261,
        refused=(
            *(154, 157, 97, 268, 117, 270, 271, 438, 199, 425),
            *(140, 119, 274, 122, 30),
            *(52, 53, 452, 54, 55, 88),
            *(5, 6, 7, 14, 15, 16, 463, 466),
        ),
    ),
}


def _refuse_calls() -> set[str]:
    """Refuse sockets other than TCP's, and ways out of the group; the words of what holds."""
    known = _MACHINES.get(platform.machine())
    if known is None:
        return set()
    program: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _MACHINE_AT),
        (_EQUAL, 1, 0, known.machine),
        (_RETURN, 0, 0, _DENIED),
        (_LOAD, 0, 0, _NUMBER_AT),
        # The other numbering of the same machine.
        (_AT_LEAST, 0, 1, 0x40000000),
        (_RETURN, 0, 0, _DENIED),
        (_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, _NOT_KNOWN),
    ]
    for call in known.refused:
        program += [(_EQUAL, 0, 1, call), (_RETURN, 0, 0, _DENIED)]
    program += [
        # Limits of itself, which is process 0.
        (_EQUAL, 0, 4, known.limits),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (_EQUAL, 0, 1, 0),
        (_RETURN, 0, 0, _ALLOWED),
        (_RETURN, 0, 0, _DENIED),
        (_EQUAL, 1, 0, known.socket),
        (_RETURN, 0, 0, _ALLOWED),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (_EQUAL, 2, 0, _INET),
        (_EQUAL, 1, 0, _INET6),
        (_RETURN, 0, 0, _DENIED),
        (_LOAD, 0, 0, _SECOND_ARGUMENT_AT),
        (_AND, 0, 0, _KIND_MASK),
        (_EQUAL, 0, 1, _STREAM),
        (_RETURN, 0, 0, _ALLOWED),
        (_RETURN, 0, 0, _DENIED),
    ]
    code = b"".join(struct.pack("=HBBI", *line) for line in program)
    held = ctypes.create_string_buffer(code, len(code))
    head = struct.pack("@HP", len(program), ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_SET_SECCOMP, _SECCOMP_MODE_FILTER, head, 0, 0):
        return set()
    return {"sockets", "processes"}


# --- limits ---------------------------------------------------------------------------------------


def _limit(limits: dict[str, int]) -> None:
    """Set the rlimits for good, none above what is in force already."""
    for name, value in (
        (resource.RLIMIT_CPU, limits["cpu"]),
        (resource.RLIMIT_AS, limits["memory"]),
        (resource.RLIMIT_FSIZE, limits["file"]),
        (resource.RLIMIT_NOFILE, limits["files"]),
        (resource.RLIMIT_CORE, 0),
        # Counts whatever the user runs: nothing more is begun, where the user is not root.
        (resource.RLIMIT_NPROC, 0),
    ):
        _, hard = resource.getrlimit(name)
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(name, (least, least))


def main(arguments: list[str]) -> None:
    """Shut this process in, then become the program. Raises OSError when that cannot be started."""
    order, command = json.loads(arguments[0]), arguments[1:]
    holds: set[str] = set()
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if order["parent"] and os.getppid() != order["parent"]:
            raise SystemExit(1)  # it died before
        if not libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            holds = _shut_in(order) | _refuse_calls()
    _limit(order["limits"])
    if command == ["probe"]:
        sys.stdout.write("".join(f"{word}\n" for word in sorted(holds)))
        return
    os.execv(command[0], command)  # noqa: S606  # nosec B606  # to become it


if __name__ == "__main__":
    main(sys.argv[1:])
