"""`make leaks`: what the parties of real runs find out from what they receive, where nothing protects.

For MovieLens-100K and UCI Adult: an honest run that both parties record, every attack of `party/audit/attacks/` on the
recordings, runs in which the label party lies, and the protections of other systems applied to the recorded gradients.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path

from coordinator import LocalFederation
from deploy import adult, movielens
from deploy.demo.federation import fresh_folder, scenario_federation
from deploy.demo.scenarios import ADULT, DEEPFM, Scenario
from party.audit.attacks.column_material import ColumnMaterial
from party.audit.attacks.known_labels import known_labels_attack
from party.audit.attacks.label_material import LabelMaterial
from party.audit.attacks.membership import membership_attack
from party.audit.attacks.probe import probe_attacks
from party.audit.received_file import received_files
from party.audit.truth import read_named_table
from party.output.tables import PrintedTable, numbered, worded
from party.output.terminal import print_lines, terminal_columns
from tests.support.heuristic_defenses import DEFENSES, Defended, Noisy
from tests.support.leaking import RECORD, Attacker, Secrets, active_head, lying_parties

NOISE_SCALES = (0.0, 1.0, 3.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """A data set as two companies hold it, and what each wants to know."""

    scenario: Scenario
    prepare: object
    training: dict
    labels: Secrets
    columns: Secrets
    hijacks: dict[str, tuple[int, ...]]

    @property
    def feature_party(self):
        (name,) = set(self.scenario.companies) - {self.scenario.label_party}
        return name


def _movielens(folder, seed, cache):
    return movielens.prepare(None, folder, seed=seed, test_fraction=0.1, rows=None, cache=cache)


def _adult(folder, seed, cache):
    return adult.prepare(folder, seed=seed, rows=None, cache=cache)


CASES = {
    "movielens": Case(
        scenario=DEEPFM,
        prepare=_movielens,
        training={"epochs": 3, "batch_size": 128},
        labels=Secrets({"liked": "Rating > 3"}),
        columns=Secrets({"gender": "Gender == F", "age": "Age >= 35", "student": "Occupation == student"}, "UserID"),
        hijacks={"gender": (20, 200)},
    ),
    "adult": Case(
        scenario=dataclasses.replace(ADULT, labels={"income": {"rule": "income == >50K"}}, fuse={"kind": "dnn"}),
        prepare=_adult,
        training={"epochs": 10, "batch_size": 256},
        labels=Secrets({"income": "income == >50K"}),
        columns=Secrets({"sex": "sex == Male", "age": "age > 37"}),
        hijacks={"sex": (200,)},
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    for name in arguments.names or CASES:
        folder = fresh_folder(arguments.folder.resolve() / f"leaks-{name}")
        print_case(name, CASES[name], folder, arguments.seed)


def print_case(name, case, folder, seed):
    case.prepare(folder, seed, folder.parent / "cache")
    run_id, local = honest_run(case, folder, seed)
    gradients = attacker(local, case.feature_party, case.scenario.label_party, run_id, case)
    hiddens = attacker(local, case.scenario.label_party, case.feature_party, run_id, case)
    results = gradients.audit(case.labels, with_model=True) + hiddens.audit(case.columns)
    results.append(invented_ids(gradients))
    for secret, sizes in case.hijacks.items():
        results += [hijacked_run(case, folder, secret, size, seed) for size in sizes]
    for table in (
        results_table(f"{name}, seed {seed}: figures are AUC", results),
        defenses_table(name, gradients, case.labels),
        noise_table(name, hiddens, case.columns),
    ):
        print_lines(table.lines(terminal_columns()))


def honest_run(case, folder, seed):
    """A run that all parties record; evaluated, so that the table can be read beside what the run is worth."""
    local = scenario_federation(folder, {"seed": seed, **case.training}, scenario=case.scenario)
    for party in local.names:
        local.write_party(party, **RECORD)
    with local, local.connect() as federation:
        federation.align()
        history = federation.fit()
        print("test metrics as told:", federation.evaluate())
    return history.run_id, local


def attacker(local, name, victim, run_id, case):
    path = local.folder / victim / f"train.{case.scenario.extension}"
    return Attacker(local=local, name=name, victim=path, run_id=run_id)


def invented_ids(attacker):
    """All own ids as guesses: the parties lack some rows of each other."""
    guesses = read_named_table(attacker.own, "ID", []).ids.tolist()
    return membership_attack(guesses, attacker.ids, read_named_table(attacker.victim, "ID", []).ids.tolist())


def hijacked_run(case, folder, secret, known, seed):
    """One epoch in which the label party trains on the secret of known entities, then an evaluation of its rows."""
    victim = folder / case.feature_party / f"train.{case.scenario.extension}"
    company, liar = case.scenario.companies[case.feature_party], case.scenario.label_party
    honest = {"frames": {"train": victim}, "features": company.features, "model": company.model}
    secrets = Secrets({secret: case.columns.rules[secret]}, case.columns.entity)
    parties = lying_parties((case.feature_party, honest), liar, victim, secrets, known)
    parties[liar]["fuse"] = case.scenario.fuse
    training = {"dataset": "train", "seed": seed, **case.training, "epochs": 1}
    lying = fresh_folder(folder / f"lying-{secret}-{known}")
    run = {"evaluate_dataset": "train"}
    with LocalFederation(lying, parties, training=training, run=run) as local, local.connect() as federation:
        federation.align()
        history = federation.fit()
        federation.evaluate()
        return active_head(local, liar, victim, secrets, history.run_id)


def results_table(title, results):
    rows = []
    for one in results:
        figures = (shown(one.one_step), f"{one.all_epochs:.3f} ± {one.standard_error:.3f}", shown(one.without_run))
        rows.append((one.secret, one.attack, one.attacker_has, *figures))
    columns = (*worded("secret", "attack", "attacker has"), *numbered("one step", "all epochs", "without run"))
    return PrintedTable(title=title, columns=columns, rows=tuple(rows))


def shown(figure):
    return "-" if figure is None else f"{figure:.3f}"


def defenses_table(name, gradients, secrets):
    """The strongest linear attacker after protections of other systems: epoch by epoch, and summed."""
    (received,) = received_files(gradients.folder, "gradient")
    (labels,) = gradients.truth(secrets).secrets.values()
    epochs = 1 + max(batch.epoch for batch in received.batches())
    columns = {f"epoch {epoch + 1}": range(epoch, epoch + 1) for epoch in sorted({0, epochs - 1})}
    columns |= {f"epochs 1 to {last}": range(last) for last in sorted({2, epochs})}
    rows = []
    for defense, protect in DEFENSES.items():
        figures = []
        for chosen in columns.values():
            defended = Defended(received, labels, protect, chosen)
            material = LabelMaterial(secret=name, gradients=defended, labels=labels)
            figures.append(shown(known_labels_attack(material).all_epochs))
        rows.append((defense, *figures))
    title = f"{name}: half of the labels known, AUC on the others"
    return PrintedTable(title=title, columns=(*worded("protection"), *numbered(*columns)), rows=tuple(rows))


def noise_table(name, hiddens, secrets):
    """Noise on hiddens: what a step gives away, and what is left once an attacker averages over epochs."""
    (received,) = received_files(hiddens.folder, "hidden")
    secret = next(iter(secrets.rules))
    truth = hiddens.truth(Secrets({secret: secrets.rules[secret]}, secrets.entity))
    rows = []
    for scale in NOISE_SCALES:
        material = ColumnMaterial(hiddens=Noisy(received, scale), secrets=truth.secrets, entities=truth.entities)
        (*_, most) = probe_attacks(material)
        rows.append((f"{scale:g}", most.attacker_has, shown(most.one_step), shown(most.all_epochs)))
    title = f"{name}: {secret} by a probe, noise in units of each column's deviation"
    columns = (*numbered("noise"), *worded("attacker has"), *numbered("one step", "all epochs"))
    return PrintedTable(title=title, columns=columns, rows=tuple(rows))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
