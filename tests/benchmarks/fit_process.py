"""`keras fit` of the joined model; trains an epoch and prints samples per second for every line that it reads."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from deploy.demo.federation import read_configurations
from deploy.demo.pooled import build_joined, compile_joined, label_party, read_pooled


def main() -> None:
    folder, batch_size = Path(sys.argv[1]), int(sys.argv[2])
    run, parties = read_configurations(folder)
    training = run.training
    data = read_pooled(parties, training, training.dataset, [])
    model = build_joined(parties, data.packed, training.seed)
    compile_joined(model, label_party(parties), training)
    rows = len(data.labels.values) // batch_size * batch_size
    inputs = {name: array[:rows] for name, array in data.inputs.items()}
    labels = data.labels.values[:rows]
    print("ready", flush=True)
    for _ in sys.stdin:
        started_seconds = time.perf_counter()
        model.fit(inputs, labels, batch_size=batch_size, verbose=0)
        print(rows / (time.perf_counter() - started_seconds), flush=True)


if __name__ == "__main__":
    main()
