"""Threads that fit the machine that a party is on."""

import os

import pytest

from party.configuration.threads import ThreadsSection
from party.engine.cores import usable_cores
from party.engine.numerics import MAXIMUM_AUTOMATIC_THREADS, intra_operation_threads

ALLOWED = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("max 100000\n", ALLOWED),
        ("100000 100000\n", 1),
        ("150000 100000\n", 1),
        ("50000 100000\n", 1),
        (f"{10_000 * 100_000} 100000\n", ALLOWED),
        ("", ALLOWED),
        ("what", ALLOWED),
    ],
)
def test_a_container_has_no_more_cores_than_its_share_is_worth(content, expected, tmp_path):
    (tmp_path / "cpu.max").write_text(content)
    assert usable_cores(tmp_path / "cpu.max") == expected


def test_without_a_container_the_cores_are_those_that_the_process_is_allowed_on(tmp_path):
    assert usable_cores(tmp_path / "none") == ALLOWED


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to a core")
def test_a_process_that_is_bound_to_one_core_counts_one(tmp_path):
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_cores(tmp_path / "none") == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("setting", "cores", "expected"),
    [("auto", 1, 1), ("auto", 3, 3), ("auto", 64, MAXIMUM_AUTOMATIC_THREADS), (0, 8, 0), (1, 8, 1), (16, 2, 16)],
)
def test_automatic_threads_are_the_cores_up_to_a_limit_and_others_are_taken_as_they_are(setting, cores, expected):
    assert intra_operation_threads(ThreadsSection(intra_operation=setting), cores) == expected
