"""Messages of a usual size cost no pages of the kernel once the first ones were sent."""

import ctypes
import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
    import resource, sys
    from coordinator.allocator import retain_freed_memory
    from party.pb import party_pb2 as pb

    if sys.argv[1] == "kept":
        retain_freed_memory()
    envelope = pb.Envelope(ciphertext=bytes(206_000))

    def relay():
        pb.BackwardRequest(gradient=envelope).SerializeToString()

    for _ in range(20):
        relay()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        relay()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="what glibc does")
def test_relayed_messages_take_no_new_pages():
    faults = {}
    for what in ("kept", "given back"):
        command = [sys.executable, "-c", textwrap.dedent(PROGRAM), what]
        faults[what] = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert faults["kept"] < 100 < faults["given back"], faults
