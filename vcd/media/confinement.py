"""Give up, for the rest of this process, all that a decoder does not need.

A decoder reads files, computes and writes into memory that it was given. After
`confine` the process has no network, writes no file, starts no program, signals
no other process, and dies when its parent does. docs/design/media.md says which
of these hold on which machine, and which do not.
"""

import ctypes
import os
import platform
import resource
import signal
import struct
from pathlib import Path

__all__ = ["confine", "die_with_parent", "rearm_cpu_limit"]

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_MAX_OPEN_FILES = 64

_AUDIT_ARCH_X86_64 = 0xC000003E
_X32_BIT = 0x40000000
_ERRNO_EPERM = 0x00050000 | 1
_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_FORBIDDEN_X86_64 = {
    "socket": 41, "connect": 42, "bind": 49, "listen": 50, "accept": 43, "accept4": 288,
    "socketpair": 53, "sendmmsg": 307, "fork": 57, "vfork": 58, "execve": 59, "execveat": 322,
    "kill": 62, "tkill": 200, "pidfd_open": 434, "pidfd_send_signal": 424, "pidfd_getfd": 438,
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "creat": 85, "rename": 82,
    "renameat": 264, "renameat2": 316, "link": 86, "linkat": 265, "symlink": 88, "symlinkat": 266,
    "unlink": 87, "unlinkat": 263, "mkdir": 83, "mkdirat": 258, "rmdir": 84, "mknod": 133,
    "mknodat": 259, "chmod": 90, "fchmod": 91, "fchmodat": 268, "chown": 92, "fchown": 93,
    "fchownat": 260, "truncate": 76, "mount": 165, "umount2": 166, "chroot": 161, "pivot_root": 155,
    "unshare": 272, "setns": 308, "bpf": 321, "perf_event_open": 298, "keyctl": 250, "add_key": 248,
    "io_uring_setup": 425, "io_uring_enter": 426, "openat2": 437, "userfaultfd": 323,
    "init_module": 175, "finit_module": 313, "kexec_load": 246, "shmget": 29, "msgget": 68,
}  # fmt: skip
_OPEN, _OPENAT = 2, 257


def die_with_parent(parent_pid: int) -> None:
    """Ask the kernel to kill this process when its parent dies, and check that it still lives."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)


def confine(*, max_memory_bytes: int) -> tuple[str, ...]:
    """Give up what a decoder does not need; call it after the decoders are imported.

    Args:
        max_memory_bytes: address space allowed above what is in use now.

    Returns:
        What holds here, of ``network``, ``system-calls``, ``memory``.
    """
    held = []
    if _leave_network():
        held.append("network")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_OPEN_FILES, _MAX_OPEN_FILES))
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + max_memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    held.append("memory")
    _prctl(_PR_SET_DUMPABLE, 0)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if _filter_system_calls():
        held.append("system-calls")
    return tuple(held)


def rearm_cpu_limit(seconds: float) -> None:
    """Let the kernel end this process when it computes for so long without calling this again."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used_s = usage.ru_utime + usage.ru_stime
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used_s + seconds) + 1, hard))


def _leave_network() -> bool:
    """Move into a network of one's own, in which there is nothing, as root or as a user."""
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(
        libc.unshare(_CLONE_NEWNET) == 0 or libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0
    )


def _prctl(option: int, argument: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0)


def _filter_system_calls() -> bool:
    """Install a filter that answers EPERM to what is forbidden; it cannot be taken off again."""
    if platform.machine() != "x86_64":
        return False
    program = _program()
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    filter_ = ctypes.create_string_buffer(header, len(header))
    libc = ctypes.CDLL(None, use_errno=True)
    address = ctypes.c_ulong(ctypes.addressof(filter_))
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, address, 0, 0) == 0)


def _program() -> bytes:
    """Assemble the filter: eight bytes an instruction (code, jump if, jump else, operand).

    seccomp_data is: nr at 0, arch at 4, the low word of argument n at 16 + 8 n.
    """
    instructions: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, 4),
        (_JUMP_EQUAL, 1, 0, _AUDIT_ARCH_X86_64),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, 0),
        (_JUMP_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _ERRNO_EPERM),
    ]
    for number in sorted(_FORBIDDEN_X86_64.values()):
        instructions += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO_EPERM)]
    for number, flags_argument in ((_OPEN, 1), (_OPENAT, 2)):
        instructions += [
            (_JUMP_EQUAL, 0, 4, number),
            (_LOAD, 0, 0, 16 + 8 * flags_argument),
            (_JUMP_BITS, 0, 1, _WRITE_FLAGS),
            (_RETURN, 0, 0, _ERRNO_EPERM),
            (_RETURN, 0, 0, _ALLOW),
        ]
    instructions.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
