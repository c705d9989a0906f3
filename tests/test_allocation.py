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
