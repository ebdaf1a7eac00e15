"""What the planner predicts, and what runs then come to: every cell of its table, or some of them.

For each network, one plan of a short run of MovieLens-100K DeepFM between two
parties, then the run itself for each cell, over the same connections.
"""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from coordinator.planning.prediction import Prediction
from coordinator.planning.recommendation import codecs_text, schedule_text
from party.security.files import private_folder, write_atomically
from tests.benchmarks.movielens_parties import federation_of, movielens_parties
from tests.support.proxy import TcpProxy

SEED = 7
TOLERANCE = 0.25
DEPTHS = (1, 2, 4, 8, 16, 32)
CODECS = ("float32", "float16", "int8", "topk")


@dataclass(frozen=True)
class Network:
    """Round trip and bandwidth of each party's link; 0 is without a limit."""

    round_trip_milliseconds: float
    megabits_per_second: float

    @classmethod
    def parse(cls, text: str) -> Network:
        return cls(*(float(part) for part in text.split("/")))

    def proxy(self, port: int) -> TcpProxy:
        bandwidth = self.megabits_per_second * 1e6 / 8 if self.megabits_per_second else None
        return TcpProxy(port, delay_seconds=self.round_trip_milliseconds / 2000, bytes_per_second=bandwidth)


@dataclass(frozen=True)
class Cell:
    """A schedule with codecs, its predicted samples per second and those of its run."""

    prediction: Prediction
    measured: float

    @property
    def error(self) -> float:
        return self.prediction.samples_per_second / self.measured - 1

    def line(self) -> str:
        one = self.prediction
        return (
            f"{schedule_text(one.schedule):<20} {codecs_text(one.codecs):<16} predicted {one.samples_per_second:>9,.0f}"
            f" measured {self.measured:>9,.0f} samples/s  {self.error:+.0%}"
        )


def compare(parties, addresses: dict[str, str], training: dict[str, object], *, depths, codecs) -> list[Cell]:
    """Plans, then trains each cell."""
    with federation_of(parties, training, addresses) as federation:
        predictions = federation.plan().predictions
    cells = []
    for one in predictions:
        if one.schedule.batches_under_way not in depths or one.codecs.hidden.kind not in codecs:
            continue
        chosen = {"schedule": one.schedule.model_dump(), "codecs": one.codecs.model_dump()}
        with federation_of(parties, {**training, **chosen}, addresses) as federation:
            cells.append(Cell(one, federation.fit().samples_per_second))
        print(f"  {cells[-1].line()}", flush=True)
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--networks", type=Network.parse, nargs="+", default=["0/0", "50/100", "50/20"])
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--depths", type=int, nargs="+", default=DEPTHS)
    parser.add_argument("--codecs", nargs="+", choices=CODECS, default=CODECS)
    arguments = parser.parse_args()
    folder = private_folder(arguments.folder.resolve())
    training = {"seed": SEED, "epochs": arguments.epochs, "batch_size": arguments.batch_size}
    results = {}
    networks = [Network.parse(one) if isinstance(one, str) else one for one in arguments.networks]
    with movielens_parties(folder, SEED) as parties:
        for network in networks:
            name = f"{network.round_trip_milliseconds:g} ms, {network.megabits_per_second:g} Mbit/s"
            print(f"{name}, batch {arguments.batch_size}", flush=True)
            with ExitStack() as stack:
                addresses = {}
                for party, address in parties.addresses.items():
                    proxy = stack.enter_context(network.proxy(int(address.rpartition(":")[2])))
                    addresses[party] = f"127.0.0.1:{proxy.port}"
                cells = compare(parties, addresses, training, depths=arguments.depths, codecs=arguments.codecs)
            within = sum(abs(cell.error) <= TOLERANCE for cell in cells)
            print(f"  {within} of {len(cells)} within {TOLERANCE:.0%}", flush=True)
            results[name] = [[cell.line(), cell.error] for cell in cells]
    write_atomically(folder / "planner.json", json.dumps(results, indent=2).encode())


if __name__ == "__main__":
    main()
