"""Training across a slow network: schedules and codecs through a TCP proxy with a delay and a bandwidth.

Every variant trains the same MovieLens-100K DeepFM from the same weights. What
counts is the time, validation included, until the validation AUC of the plain
variant's last epoch, less 0.002, is reached; epochs count whole.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from coordinator.configuration import load_coordinator_configuration
from coordinator.federation import Federation
from deploy.demo.configurations import write_certificates, write_party_configurations, write_run_configuration
from deploy.demo.processes import PartyProcesses
from deploy.movielens import prepare
from party.security.files import private_folder, write_atomically

sys.path.append(str(Path(__file__).parents[1]))
from network.proxy import TcpProxy  # a helper of the tests, which are no package

AUC_TOLERANCE = 0.002
INT8 = {"hidden": {"kind": "int8"}, "gradient": {"kind": "int8"}}
TOPK = {
    "hidden": {"kind": "topk", "fraction": 0.2, "values": "int8"},
    "gradient": {"kind": "topk", "fraction": 0.2, "values": "int8"},
}
VARIANTS = {
    "synchronous": {},
    "synchronous, int8": {"codecs": INT8},
    "synchronous, topk": {"codecs": TOPK},
    "pipelined 4": {"schedule": {"kind": "pipelined", "depth": 4}},
    "pipelined 16": {"schedule": {"kind": "pipelined", "depth": 16}},
    "pipelined 16, int8": {"schedule": {"kind": "pipelined", "depth": 16}, "codecs": INT8},
}


def measure(folder: Path, ports: dict[str, int], variant: dict[str, object], arguments: argparse.Namespace, seed: int):
    """Trains one variant; returns what it came to."""
    training = {"seed": seed, "epochs": arguments.epochs, "batch_size": arguments.batch_size, **variant}
    addresses = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    with Federation(load_coordinator_configuration(write_run_configuration(folder, addresses, training))) as federation:
        history = federation.fit()
        test = federation.evaluate(run_id=history.run_id)
    return {
        "seconds": history.seconds,
        "samples_per_second": history.samples_per_second,
        "bytes_per_sample": history.bytes_per_sample,
        "validation_auc": history.history["val_auc"],
        "test_auc": test["auc"],
    }


def seconds_to(result: dict[str, object], target: float) -> float | None:
    """Seconds until a validation AUC is reached, epochs taken as equally long; None where it never is."""
    curve = result["validation_auc"]
    for epoch, value in enumerate(curve, start=1):
        if value >= target:
            return result["seconds"] * epoch / len(curve)
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--round-trip-milliseconds", type=float, default=50.0)
    parser.add_argument("--megabits-per-second", type=float, default=100.0)
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7])
    parser.add_argument("--variants", nargs="+", choices=sorted(VARIANTS), default=list(VARIANTS))
    arguments = parser.parse_args()
    folder = private_folder(arguments.folder.resolve())
    results: dict[str, dict[str, object]] = {}
    for seed in arguments.seeds:
        prepare(None, folder, seed=seed, test_fraction=0.1, rows=None, cache=folder / "cache")
        write_certificates(folder, datetime.now(UTC))
        write_party_configurations(folder)
        with PartyProcesses(folder) as parties, ExitStack() as stack:
            direct = {name: int(address.rpartition(":")[2]) for name, address in parties.addresses.items()}
            with Federation(
                load_coordinator_configuration(write_run_configuration(folder, parties.addresses, {"seed": seed}))
            ) as federation:
                federation.align()
            proxies = {
                name: stack.enter_context(
                    TcpProxy(
                        port,
                        delay_seconds=arguments.round_trip_milliseconds / 2000,
                        bytes_per_second=arguments.megabits_per_second * 1e6 / 8,
                    )
                )
                for name, port in direct.items()
            }
            through = {name: proxy.port for name, proxy in proxies.items()}
            for name in arguments.variants:
                result = measure(folder, through, VARIANTS[name], arguments, seed)
                results[f"{name} ({seed})"] = result
                plain = results[f"{arguments.variants[0]} ({seed})"]
                target = plain["validation_auc"][-1] - AUC_TOLERANCE
                reached = seconds_to(result, target)
                told = "never" if reached is None else f"{reached:6.1f} s ({plain['seconds'] / reached:4.1f}x)"
                print(
                    f"seed {seed}  {name:<20} {result['samples_per_second']:>9,.0f} samples/s"
                    f" {result['bytes_per_sample']:>6,.0f} B/sample  test AUC {result['test_auc']:.4f}"
                    f"  to the plain AUC {told}",
                    flush=True,
                )
    write_atomically(folder / "networks.json", json.dumps(results, indent=2).encode())


if __name__ == "__main__":
    main()
