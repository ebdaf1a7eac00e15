"""The limit of open files, and what comes of having none left."""

import errno
import resource
import subprocess
import sys

import pytest

from party.errors import DataError, StorageError
from party.security.files import read_private
from party.transport.descriptors import are_used_up

SMALL_LIMIT = 64
RAISED = f"""
import resource
from party.transport.descriptors import raise_limit
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, ({SMALL_LIMIT}, hard))
print(raise_limit() == hard, resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard))
"""


def test_a_process_takes_as_many_as_it_may():
    done = subprocess.run([sys.executable, "-c", RAISED], check=True, capture_output=True, text=True)
    assert done.stdout == "True True\n"


def test_a_file_that_no_descriptor_is_left_for_is_told_from_one_that_cannot_be_read(tmp_path):
    path = tmp_path / "private"
    path.touch(0o600)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(StorageError) as caught:
            read_private(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert are_used_up(caught.value)
    with pytest.raises(StorageError) as caught:
        read_private(tmp_path / "absent")
    assert not are_used_up(caught.value)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_it_is_found_also_where_the_cause_was_left_out(number):
    def fail():
        try:
            raise OSError(number, "too many")
        except OSError:
            raise DataError("cannot be read") from None

    with pytest.raises(DataError) as caught:
        fail()
    assert are_used_up(caught.value)
