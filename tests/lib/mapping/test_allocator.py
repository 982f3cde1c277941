from __future__ import annotations

import platform
import subprocess
import sys

import numpy as np
import pytest

from components.lib.mapping.allocator import mapped_zeros

PROGRAM = """
import ctypes, resource, threading
from components.lib.mapping.allocator import give_back_memory, share_kept_memory
share_kept_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

def faults():
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    place = libc.malloc(size := 16 << 20)
    ctypes.memset(place, 1, size)
    libc.free(place)
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before

def work():
    print(faults(), faults(), faults())

thread = threading.Thread(target=work)
thread.start()
thread.join()

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])

before = resident()
give_back_memory()
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_a_thread_gets_freed_memory_again_without_page_faults_until_it_is_given_back() -> None:
    out = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
    first, second, third, given_back = map(int, out.split())
    assert first > 1000
    assert max(second, third) < 100
    assert given_back > 1000


def test_mapped_zeros_are_writable_arrays() -> None:
    array = mapped_zeros((2, 3, 5), np.uint32)
    assert array.shape == (2, 3, 5)
    assert not array.any()
    array += 7
    assert array.sum() == 7 * 30
    assert mapped_zeros((0, 3), np.uint8).size == 0
