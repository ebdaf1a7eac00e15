"""Milliseconds to encode and decode a 4096 x 64 matrix on one core, for every codec."""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from party.channel.codecs.make import make_codec
from party.configuration.run import CodecSection
from party.security.files import private_folder, write_atomically
from tests.support.cut_layouts import layout_of

ROWS, COLUMNS = 4096, 64
WARM_UP = 5
BAR_MILLISECONDS = 3.0
SEED = 7
CODECS = {
    "float16": {"kind": "float16"},
    "bfloat16": {"kind": "bfloat16"},
    "int8": {"kind": "int8"},
    "int4": {"kind": "int4"},
    "topk 0.1": {"kind": "topk", "fraction": 0.1},
    "topk 0.1, int8": {"kind": "topk", "fraction": 0.1, "values": "int8"},
    "topk 0.2, int8": {"kind": "topk", "fraction": 0.2, "values": "int8"},
    "randomk 0.1": {"kind": "randomk", "fraction": 0.1},
    "randomk 0.1, int8": {"kind": "randomk", "fraction": 0.1, "values": "int8"},
}
BARRED = ("float16", "bfloat16", "int8", "topk 0.1, int8")


def milliseconds(call: Callable[[], object], repetitions: int) -> list[float]:
    """Of every repetition."""
    for _ in range(WARM_UP):
        call()
    times = []
    for _ in range(repetitions):
        started_seconds = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - started_seconds))
    return times


def page_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def measure(name: str, repetitions: int) -> dict[str, float]:
    """Binds this process, with whatever threads NumPy's libraries have started, to one core, and times a codec."""
    core = min(os.sched_getaffinity(0))
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})
    codec = make_codec(
        CodecSection.model_validate(CODECS[name]), layout_of([COLUMNS]), seed=SEED, rows=ROWS, where="benchmark"
    )
    matrix = np.random.default_rng(SEED).normal(size=(ROWS, COLUMNS)).astype(np.float32)
    data = codec.encode(matrix, 0)
    faults = page_faults()
    encode = milliseconds(lambda: codec.encode(matrix, 0), repetitions)
    faults = page_faults() - faults
    decode = milliseconds(lambda: codec.decode(data, ROWS, 0), repetitions)
    return {
        "encode_median": statistics.median(encode),
        "encode_least": min(encode),
        "encode_page_faults": faults / (WARM_UP + repetitions),
        "decode_median": statistics.median(decode),
        "decode_least": min(decode),
        "bytes": len(data),
        "ratio": matrix.nbytes / len(data),
    }


def print_result(name: str, result: dict[str, float]) -> None:
    slowest = max(result["encode_median"], result["decode_median"])
    bar = f"  under {BAR_MILLISECONDS:g} ms: {'yes' if slowest < BAR_MILLISECONDS else 'no'}" if name in BARRED else ""
    print(
        f"{name:<18} {result['encode_median']:>8.2f} {result['encode_least']:>8.2f}"
        f" {result['encode_page_faults']:>8,.0f}"
        f" {result['decode_median']:>8.2f} {result['decode_least']:>8.2f}"
        f" {result['bytes']:>9,} {result['ratio']:>6.2f}{bar}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--repetitions", type=int, default=300)
    arguments = parser.parse_args()
    print(
        f"{'milliseconds':<18} {'encode':>8} {'least':>8} {'faults':>8} {'decode':>8} {'least':>8}"
        f" {'bytes':>9} {'ratio':>6}"
    )
    results = {}
    # A fresh process each: what a codec before it did to the heap can halve or double the time of the next one.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for name in CODECS:
            results[name] = processes.submit(measure, name, arguments.repetitions).result()
            print_result(name, results[name])
    content = json.dumps({"rows": ROWS, "columns": COLUMNS, "milliseconds": results}, indent=2)
    write_atomically(private_folder(arguments.folder.resolve()) / "codecs.json", content.encode())


if __name__ == "__main__":
    main()
