"""Memory that networks free is held for their next layer, and given back after a picture."""

import subprocess
import sys

import pytest

CHILD = """
import threading
from resource import RUSAGE_SELF, getrusage
import torch
from core.allocation import give_back, hold_freed

def faults():
    before = getrusage(RUSAGE_SELF).ru_minflt
    for _ in range(8):
        torch.ones(10_000_000)
    return getrusage(RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1])

def work():
    faults()
    held, most = faults(), resident()
    give_back()
    print(usual, held, most - resident())

usual = faults()
assert hold_freed()
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is what can be told")
def test_freed_memory_is_held_and_given_back():
    """Pieces of 40 MB cost hardly a page fault the second time, also in another thread."""
    done = subprocess.run([sys.executable, "-c", CHILD], check=True, capture_output=True, text=True)
    usual, held, given_back = map(int, done.stdout.split())
    assert held < usual / 4  # of 10,000 pages each, unless pages are large
    assert given_back > 5_000  # pages


THREADS = """
import ctypes, sys, tempfile, threading
from core.allocation import share_one_arena

libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
libc.malloc.restype = ctypes.c_void_p

def arenas():
    with tempfile.NamedTemporaryFile() as file:
        out = ctypes.c_void_p(libc.fopen(file.name.encode(), b"w"))
        libc.malloc_info(0, out)
        libc.fclose(out)
        return file.read().count(b"<heap nr=")

if "shared" in sys.argv:
    share_one_arena()
gate = threading.Barrier(5)

def work():
    libc.malloc(1000)
    gate.wait()

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
gate.wait()
for thread in threads:
    thread.join()
print(arenas())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is what can be told")
def test_threads_share_one_arena():
    def count(*words):
        command = [sys.executable, "-c", THREADS, *words]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    if count() == 1:
        pytest.skip("the C library gives threads no arenas of their own here")
    assert count("shared") == 1
