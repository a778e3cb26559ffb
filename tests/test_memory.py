"""What a frame has used is there for the next one."""

import mmap
import platform
import subprocess
import sys

import pytest

FAULTS_OF_ONE_MORE = """
import resource, torch
from vdeblur_fast import keep_memory
{keep}
for _ in range(20):  # the first ones find their places
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no mallopt")
def test_a_tensor_takes_the_pages_of_those_before():
    def faults(keep: str) -> int:
        program = FAULTS_OF_ONE_MORE.format(keep=keep)
        return int(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)

    pages = 2**26 // mmap.PAGESIZE
    assert faults("keep_memory()") < pages / 20
    assert faults("") > pages / 2, "the C library keeps it unasked: keep_memory is not needed any more"
