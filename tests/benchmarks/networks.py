"""Training across a slow network: schedules, codecs and local updates through a TCP proxy.

Between the coordinator and each party stands a proxy in user space, which adds
a delay each way and passes so many bits a second each way. Every variant
trains the same MovieLens-100K DeepFM from the same weights. What counts is the
time, held-out rows included, until the validation AUC that the plain variant
ends with, less 0.002, is reached at the end of an epoch.
"""

from __future__ import annotations

import argparse
import json
import statistics
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from coordinator.exchanges import run_exchanges
from coordinator.federation import Federation
from coordinator.history import History
from deploy.demo.own_figures import last_evaluation, own_history
from party.security.files import private_folder, write_atomically
from tests.benchmarks.distance import measure_distance
from tests.benchmarks.epoch_clock import EpochClock
from tests.benchmarks.movielens_parties import federation_of, movielens_parties, open_run
from tests.benchmarks.network_plot import write_plot
from tests.benchmarks.network_variants import DEFAULT, PLAIN, VARIANTS
from tests.support.proxy import TcpProxy

AUC_TOLERANCE = 0.002


@dataclass(frozen=True)
class Outcome:
    """What one variant came to with one seed.

    Attributes:
        seconds: from the first batch to the end of each epoch, its held-out rows included.
        validation_auc: of each epoch.
        test_auc: after the last epoch.
        samples_per_second: rows of an epoch by its median time, held-out rows included, without the first epoch.
        training_bytes: a sample, of hiddens and gradients of training, each counted once.
        held_out_bytes: a sample trained on, of hiddens of held-out rows, which no codec shortens.
    """

    seconds: list[float]
    validation_auc: list[float]
    test_auc: float
    samples_per_second: float
    training_bytes: float
    held_out_bytes: float

    def seconds_to(self, target: float) -> float | None:
        """Seconds until the end of the first epoch with a validation AUC; None where none has it."""
        reached = (one for one, auc in zip(self.seconds, self.validation_auc, strict=True) if auc >= target)
        return next(reached, None)


def measure(federation: Federation) -> Outcome:
    """Trains one variant to its end."""
    with open_run(federation) as session:
        clock = EpochClock(session)
        clock.complete(run_exchanges(session, clock))
        history = History(session.reference.run_id.hex())
        history.take(session.label.report(session.reference, steps_seen=0))
    federation.evaluate(run_id=history.run_id)
    own = (federation.configuration.path(".."), federation.configuration.label_party, history.run_id)
    epochs = [end - begin for begin, end in zip([0.0, *clock.seconds], clock.seconds, strict=False)]
    return Outcome(
        seconds=clock.seconds,
        validation_auc=own_history(*own)["val_auc"],
        test_auc=last_evaluation(*own)["auc"],
        samples_per_second=history.samples / len(epochs) / statistics.median(epochs[1:] or epochs),
        training_bytes=clock.training_bytes / history.samples,
        held_out_bytes=clock.held_out_bytes / history.samples,
    )


def target_of(plain: Outcome) -> float:
    return plain.validation_auc[-1] - AUC_TOLERANCE


def gain(plain: Outcome, outcome: Outcome) -> float | None:
    """How many times sooner than the plain variant the AUC is reached; None where it never is."""
    target = target_of(plain)
    plain_seconds, seconds = plain.seconds_to(target), outcome.seconds_to(target)
    return None if plain_seconds is None or seconds is None else plain_seconds / seconds


def print_outcome(seed: int, name: str, plain: Outcome, outcome: Outcome) -> None:
    seconds, times = outcome.seconds_to(target_of(plain)), gain(plain, outcome)
    told = "never" if seconds is None or times is None else f"{seconds:6.1f} s ({times:4.1f}x)"
    print(
        f"seed {seed}  {name:<28} {outcome.samples_per_second:>8,.0f} samples/s"
        f" {outcome.training_bytes:>5.0f} + {outcome.held_out_bytes:.0f} B/sample"
        f"  test AUC {outcome.test_auc:.4f}  {len(outcome.seconds)} epochs {outcome.seconds[-1]:6.1f} s"
        f"  to the plain AUC {told}",
        flush=True,
    )


def print_means(outcomes: dict[str, dict[int, Outcome]]) -> None:
    """One line for each variant: means of the seeds, and what they are beside those of the plain variant."""
    plain = outcomes[PLAIN]
    print(
        f"\nmeans of seeds {', '.join(map(str, plain))}\n"
        f"{'':<28} {'to the AUC':>11} {'sooner by':>22} {'epochs':>6} {'test AUC':>9} {'- plain':>8}"
        f" {'B/sample':>9} {'fewer by':>9} {'samples/s':>10}"
    )
    plain_auc = statistics.mean(one.test_auc for one in plain.values())
    plain_bytes = statistics.mean(one.training_bytes for one in plain.values())
    for name, by_seed in outcomes.items():
        seconds = [one.seconds_to(target_of(plain[seed])) for seed, one in by_seed.items()]
        gains = [times for seed, one in by_seed.items() if (times := gain(plain[seed], one)) is not None]
        reached = [one for one in seconds if one is not None]
        told = "never"
        if reached:
            told = f"{statistics.mean(reached):.1f} s"
            times = f"{statistics.mean(gains):.1f}x [{min(gains):.1f} to {max(gains):.1f}]"
        if len(reached) < len(seconds):
            times = f"{len(reached)} of {len(seconds)} seeds"
        auc = statistics.mean(one.test_auc for one in by_seed.values())
        training_bytes = statistics.mean(one.training_bytes for one in by_seed.values())
        epochs = len(next(iter(by_seed.values())).seconds)
        rate = statistics.mean(one.samples_per_second for one in by_seed.values())
        print(
            f"{name:<28} {told:>11} {times:>22} {epochs:>6} {auc:>9.4f} {auc - plain_auc:>+8.4f}"
            f" {training_bytes:>9.1f} {plain_bytes / training_bytes:>8.1f}x {rate:>10,.0f}"
        )


def print_distance(results: list[dict[str, object]], round_trip_milliseconds: float) -> None:
    if results:
        print(f"\npipelined, full: samples/s at 0 ms and at {round_trip_milliseconds:g} ms, epochs in turn")
    for one in results:
        low, high = one["ratio_range"]
        print(
            f"depth {one['depth']:>3} {one['samples_per_second_near']:>8,.0f} {one['samples_per_second_far']:>8,.0f}"
            f"  ratio {one['ratio_median']:.2f} [{low:.2f} to {high:.2f}] over {one['pairs']} pairs"
        )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--round-trip-milliseconds", type=float, default=50.0, help="0: no delay.")
    parser.add_argument("--megabits-per-second", type=float, default=100.0, help="Each way; 0: no limit.")
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=DEFAULT)
    parser.add_argument(
        "--distance-depths", type=int, nargs="*", default=[16, 32], help="Measured with and without the delay in turn."
    )
    parser.add_argument("--distance-pairs", type=int, default=5)
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    folder = private_folder(arguments.folder.resolve())
    names = [PLAIN, *(name for name in arguments.variants if name != PLAIN)]
    outcomes: dict[str, dict[int, Outcome]] = {name: {} for name in names}
    distance: list[dict[str, object]] = []
    megabits, milliseconds = arguments.megabits_per_second, arguments.round_trip_milliseconds
    bytes_per_second = megabits * 1e6 / 8 if megabits else None
    for seed in arguments.seeds:
        with movielens_parties(folder, seed) as parties, ExitStack() as stack:
            proxies = {
                name: stack.enter_context(
                    TcpProxy(int(address.rpartition(":")[2]), milliseconds / 2000, bytes_per_second)
                )
                for name, address in parties.addresses.items()
            }
            addresses = {name: f"127.0.0.1:{proxy.port}" for name, proxy in proxies.items()}
            base = {"seed": seed, "batch_size": arguments.batch_size}
            for name in names:
                training = {**base, **VARIANTS[name].training_for(arguments.epochs)}
                with federation_of(parties, training, addresses) as federation:
                    outcomes[name][seed] = measure(federation)
                print_outcome(seed, name, outcomes[PLAIN][seed], outcomes[name][seed])
            if milliseconds and seed == arguments.seeds[-1]:
                distance = [
                    measure_distance(parties, proxies, base, depth, arguments.distance_pairs)
                    for depth in arguments.distance_depths
                ]
    print_means(outcomes)
    print_distance(distance, milliseconds)
    limit = f"{megabits:g} Mbit/s each way" if megabits else "no limit of bandwidth"
    title = f"MovieLens-100K DeepFM, batch {arguments.batch_size}: round trip {milliseconds:g} ms, {limit}"
    curves = {
        name: [list(zip(one.seconds, one.validation_auc, strict=True)) for one in by_seed.values()]
        for name, by_seed in outcomes.items()
    }
    target = statistics.mean(target_of(one) for one in outcomes[PLAIN].values())
    write_plot(folder / "networks.png", title, curves, target)
    content = {
        "round_trip_milliseconds": milliseconds,
        "megabits_per_second": megabits or None,
        "batch_size": arguments.batch_size,
        "variants": {name: VARIANTS[name].training_for(arguments.epochs) for name in names},
        "outcomes": {
            name: {str(seed): asdict(one) for seed, one in by_seed.items()} for name, by_seed in outcomes.items()
        },
        "distance": distance,
    }
    write_atomically(folder / "networks.json", json.dumps(content, indent=2).encode())
    print(f"wrote {folder / 'networks.json'} and {folder / 'networks.png'}")


if __name__ == "__main__":
    main()
