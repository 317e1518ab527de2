"""The two programs of a pod's VLAN link, assembled here and loaded by bpf(2).

Each is a dozen instructions with the numbers of one pod filled in, so neither a compiler nor a map nor a
pinned object is needed: the filter that uses a program keeps it alive. The kernel's verifier checks them at
load.
"""

import ctypes
import os
import platform
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

_BPF_PROG_LOAD, _SCHED_CLS = 5, 3
_SYSCALL = {"x86_64": 321, "aarch64": 280, "ppc64le": 361, "s390x": 351}
_libc = ctypes.CDLL(None, use_errno=True)

# Fields of struct __sk_buff
_VLAN_PRESENT, _VLAN_TCI = 20, 24
# Helpers
_VLAN_PUSH, _VLAN_POP, _REDIRECT = 18, 19, 23
# Verdicts: _UNSPEC asks the next filter
_SHOT, _UNSPEC = 2, -1
# Registers: R0 result, R1..R5 arguments (R1 holds the packet until the first call)
_R0, _R1, _R2, _R3 = 0, 1, 2, 3

_INSTRUCTION = struct.Struct("=BBhi")  # code, registers, jump offset, number


def _instruction(code: int, dst: int = 0, src: int = 0, offset: int = 0, number: int = 0) -> bytes:
    registers = dst | src << 4 if struct.pack("=H", 1)[0] else dst << 4 | src
    return _INSTRUCTION.pack(code, registers, offset, number)


def _set(dst: int, number: int) -> bytes:
    return _instruction(0xB7, dst, number=number)


def _load_u32(dst: int, src: int, offset: int) -> bytes:
    return _instruction(0x61, dst, src, offset)


def _and(dst: int, number: int) -> bytes:
    return _instruction(0x57, dst, number=number)


def _jump_equal(dst: int, number: int, over: int) -> bytes:
    return _instruction(0x15, dst, offset=over, number=number)


def _jump_unequal(dst: int, number: int, over: int) -> bytes:
    return _instruction(0x55, dst, offset=over, number=number)


def _call(helper: int) -> bytes:
    return _instruction(0x85, number=helper)


_EXIT = _instruction(0x95)


def to_trunk(vlan: int, trunk: int) -> bytes:
    """Return the program for what comes from a pod: push its tag, send it out of the link ``trunk``."""
    return b"".join(
        (
            _set(_R2, socket.htons(0x8100)),
            _set(_R3, vlan),
            _call(_VLAN_PUSH),
            _jump_unequal(_R0, 0, over=4),
            _set(_R1, trunk),
            _set(_R2, 0),
            _call(_REDIRECT),
            _EXIT,
            _set(_R0, _SHOT),
            _EXIT,
        )
    )


def to_pod(vlan: int, link: int) -> bytes:
    """Return the program for what comes from the trunk: of this VLAN, pop the tag, hand it to ``link``."""
    return b"".join(
        (
            _load_u32(_R2, _R1, _VLAN_PRESENT),
            _jump_equal(_R2, 0, over=9),
            _load_u32(_R2, _R1, _VLAN_TCI),
            _and(_R2, 0xFFF),
            _jump_unequal(_R2, vlan, over=6),
            _call(_VLAN_POP),
            _jump_unequal(_R0, 0, over=6),
            _set(_R1, link),
            _set(_R2, 0),
            _call(_REDIRECT),
            _EXIT,
            _set(_R0, _UNSPEC),
            _EXIT,
            _set(_R0, _SHOT),
            _EXIT,
        )
    )


class _Load(ctypes.Structure):
    _fields_ = (
        ("prog_type", ctypes.c_uint32),
        ("insn_cnt", ctypes.c_uint32),
        ("insns", ctypes.c_uint64),
        ("license", ctypes.c_uint64),
        ("log_level", ctypes.c_uint32),
        ("log_size", ctypes.c_uint32),
        ("log_buf", ctypes.c_uint64),
        ("kern_version", ctypes.c_uint32),
        ("prog_flags", ctypes.c_uint32),
        ("prog_name", ctypes.c_char * 16),
    )


@contextmanager
def loaded(name: str, program: bytes) -> Iterator[int]:
    """Load a classifier for as long as the block takes, or a filter holds it; the value is its descriptor.

    Raises ``OSError`` with the verifier's words when the kernel refuses it.
    """
    descriptor = _load(name, program)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _load(name: str, program: bytes) -> int:
    code = ctypes.create_string_buffer(program, len(program))
    terms = ctypes.create_string_buffer(b"Apache-2.0")
    request = _Load(
        prog_type=_SCHED_CLS,
        insn_cnt=len(program) // _INSTRUCTION.size,
        insns=ctypes.addressof(code),
        license=ctypes.addressof(terms),
        prog_name=name.encode()[:15],
    )
    descriptor = _bpf(request)
    if descriptor >= 0:
        return descriptor
    log = ctypes.create_string_buffer(1 << 16)
    request.log_level, request.log_size, request.log_buf = 1, len(log), ctypes.addressof(log)
    descriptor = _bpf(request)
    if descriptor >= 0:
        return descriptor
    number = ctypes.get_errno()
    words = log.value.decode(errors="replace").strip()
    raise OSError(number, f"the kernel refused the program {name}: {os.strerror(number)}. {words}".strip())


def _bpf(request: _Load) -> int:
    syscall = _SYSCALL.get(platform.machine())
    if syscall is None:
        raise OSError(f"bpf(2) is not known on {platform.machine()}; use a kernel with the 8021q module")
    return int(_libc.syscall(syscall, _BPF_PROG_LOAD, ctypes.byref(request), ctypes.sizeof(request)))
