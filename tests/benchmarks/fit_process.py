"""`keras fit` of the joined model; trains an epoch and prints samples per second for every line that it reads."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from coordinator.configuration import load_coordinator_configuration
from deploy.demo.configurations import PARTIES, party_file, run_file
from deploy.demo.pooled import build_joined, compile_joined, label_party, read_pooled
from party.configuration.party import load_party_configuration


def main() -> None:
    folder, batch_size = Path(sys.argv[1]), int(sys.argv[2])
    training = load_coordinator_configuration(run_file(folder)).training
    parties = [load_party_configuration(party_file(folder, name)) for name in PARTIES]
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
