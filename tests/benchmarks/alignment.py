"""What an alignment between two processes on this machine takes: `python -m tests.benchmarks.alignment --rows 100000`.

Prints seconds, processor seconds of both parties and their workers, and peaks of memory: of the parties that which no
file backs, of their workers all that is resident. The workers' peak is compared with a Python process that has imported
nothing. Ids are mapped from files, as those of large datasets are.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from pathlib import Path


def main() -> None:
    # Not at the top: every worker imports this module once more.
    from party.security.files import private_folder  # noqa: PLC0415
    from tests.benchmarks.alignment_sides import Sizes, align, bare_mebibytes, serve_feature_side  # noqa: PLC0415

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--feature-rows", type=int, help="Ids of the feature party; by default as many.")
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--chunk-rows", type=int, default=8192)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="worker processes of each side")
    arguments = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    folder = private_folder(private_folder(arguments.folder.resolve()) / "alignment")
    feature_rows = arguments.feature_rows or arguments.rows
    sizes = Sizes(arguments.rows, feature_rows, arguments.chunk_rows, arguments.workers, folder)
    start = time.perf_counter()
    feature = context.Process(target=serve_feature_side, args=(theirs, sizes))
    feature.start()
    in_common, label_usage = align(ours, {feature.pid}, sizes)
    seconds = time.perf_counter() - start
    ours.send(None)
    feature_usage = ours.recv()
    feature.join()
    print(f"{arguments.rows} x {feature_rows} ids, {in_common} in common: {seconds:.1f} s", flush=True)
    processor_seconds = label_usage.processor_seconds + feature_usage.processor_seconds
    per_id = 1e6 * processor_seconds / (arguments.rows + feature_rows)
    print(f"processor: {processor_seconds:.1f} s in all, {per_id:.0f} microseconds for an id of either party")
    for name, used in (("label party", label_usage), ("feature party", feature_usage)):
        print(
            f"{name}: {used.processor_seconds:.1f} s of processor; peaks: itself {used.owner_mebibytes:+.0f} MiB,"
            f" a worker {used.worker_mebibytes:.0f} MiB, of which {bare_mebibytes():.0f} MiB are a bare interpreter"
        )


if __name__ == "__main__":
    main()
