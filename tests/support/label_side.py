"""A label party alone: its real plans, files, ledger and seals; hiddens of its peers are drawn at random."""

import dataclasses
import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
import yaml

from party.alignment.store import AlignmentStore, StoredAlignment
from party.channel.compose import ChannelSettings, feature_channels
from party.channel.place import Place
from party.configuration.party import load_party_configuration
from party.configuration.run import RunConfiguration
from party.configuration.strict import validate
from party.cut.hidden import Aggregation, HiddenSpec
from party.cut.layout import CutLayout
from party.cut.specs import specs_to_messages
from party.data.labels import DrawnLabels, LabelArrays, LabelNoise, SessionLabels
from party.ledger.file import LEDGER_FILE, Ledger
from party.pb.handshake_pb2 import Hello, Purpose
from party.policy.admission import make_admission
from party.policy.requests import SessionRequest
from party.privacy.replacement import replacement_probability
from party.protocol.checkpoints import ORIGIN
from party.protocol.schedule import Activity
from party.runtime.batch_agreement import BatchAgreement
from party.runtime.batches import Batches
from party.runtime.checkpoint_files import CheckpointFiles
from party.runtime.column_keys import StoredColumnKeys
from party.runtime.context import PartyContext
from party.runtime.inference_plan import InferencePlan
from party.runtime.inference_setup import inference_setup
from party.runtime.proposal import Opening, SessionProposal
from party.runtime.qualities import Qualities
from party.runtime.records import RunRecords
from party.runtime.run_origin import former_run
from party.runtime.tables import Tables
from party.runtime.training_plan import TrainingPlan
from party.runtime.training_setup import complete_models, training_setup
from party.security.row_secret import pinned_row_secret
from party.security.sealing import SealingKeys
from party.transport.report_reply import report_reply
from tests.support.issuing import NOW

PARTY, PEERS, DRIVER = "bank", ("ads", "shop"), "driver"
PARTIES = tuple(sorted((PARTY, *PEERS)))
ROWS, BATCH = 64, 16  # every batch has one size, as each size is compiled anew
SECRET, RUN_ID = bytes(range(32)), bytes(range(16))
CLASSES = ("calm", "loud", "wild")
EPSILON = 1.0
LABELS = {
    "liked": {"rule": "liked > 3", "class_weights": {"positive": 2.0}},
    "minutes": {"kind": "regression", "column": "minutes"},
    "mood": {"kind": "multi_class", "column": "mood", "classes": list(CLASSES)},
}
NUMBER_BOUNDS = {"minimum": 0.0, "maximum": 3.0}
SYMBOLS = {"binary": 2, "regression": 3, "multi_class": len(CLASSES)}
FEATURES = [
    {"column": "film", "kind": "vocabulary"},
    {"column": "income", "kind": "numeric"},
    {"column": "seen", "kind": "sequence", "separator": " ", "maximum_length": 3, "target": "film"},
]
TRAINING = {
    "dataset": "train",
    "seed": 5,
    "epochs": 2,
    "batch_size": BATCH,
    "validation_fraction": 0.25,
    "evaluation_batch_size": BATCH,
}


def deep(units=4):
    return (HiddenSpec("deep", units, Aggregation.CONCAT),)


def labels_section(names, private=True):
    """Returns data.labels of the named labels."""
    sections = {}
    for name in names:
        bounds = NUMBER_BOUNDS if LABELS[name].get("kind") == "regression" else {}
        sections[name] = LABELS[name] | ({"privacy": {"epsilon": EPSILON, **bounds}} if private else {})
    return sections


def random_labels(names, seed, rows=ROWS):
    """Draws values of the named labels, float32 (rows, labels)."""
    generator = np.random.default_rng(seed)
    columns = {
        "liked": generator.integers(0, 2, rows),
        "minutes": generator.normal(1.5, 0.5, rows),
        "mood": generator.integers(0, len(CLASSES), rows),
    }
    return np.stack([columns[name] for name in names], axis=1).astype(np.float32)


def other_labels(names, values):
    """Returns values that differ in every row and label."""
    changes = {"liked": lambda one: 1 - one, "minutes": lambda one: 3 - one, "mood": lambda one: (one + 1) % 3}
    return np.stack([changes[name](values[:, place]) for place, name in enumerate(names)], axis=1).astype(np.float32)


def session_labels(names, true, drawn):
    """Makes the labels of a session from values, float32 (rows, labels)."""

    def arrays(values):
        weights = np.ones_like(values)
        if "liked" in names:
            weights[:, names.index("liked")] += values[:, names.index("liked")]  # class weights of `liked`
        return LabelArrays(values, weights)

    if drawn is None:
        return SessionLabels(arrays(true))
    kinds = {name: SYMBOLS[LABELS[name].get("kind", "binary")] for name in names}
    noise = {name: LabelNoise(replacement_probability(EPSILON, symbols), symbols) for name, symbols in kinds.items()}
    return SessionLabels(arrays(true), DrawnLabels(arrays(drawn), noise))


class LabelSide:
    """The label party of a run, in a folder of its own; a second one in the same folder is the party after a restart.

    Args:
        folder: its folder, private.
        party: keys of its configuration besides names and files.
        training: keys of the run's training section.
        specs: hiddens of every peer.
        labels: the labels of the session.
    """

    def __init__(self, folder, *, party, training, specs, labels):
        self.folder, self.specs, self.labels = folder, tuple(specs), labels
        self.background = ThreadPoolExecutor(1)
        self.configuration = self._configuration(party)
        state = self.configuration.path(self.configuration.state)
        self.ledger = Ledger(state, lambda: NOW)
        admission = make_admission(self.configuration, self.ledger, now=lambda: NOW, random_bytes=bytes)
        self.context = PartyContext(
            configuration=self.configuration,
            identity=lambda: None,
            peers={},
            tables=Tables(
                self.configuration,
                lambda: StoredColumnKeys(self.configuration, bytes, charged=admission.latest_generation),
            ),
            qualities=Qualities(),
            alignments=AlignmentStore(state / "alignments"),
            records=RunRecords(state / "runs", PARTY),
            admission=admission,
            background=self.background,
            random_bytes=bytes,
            now=lambda: NOW,
            monotonic=lambda: 0.0,
        )
        self.run = validate(
            RunConfiguration,
            {"parties": list(PARTIES), "label_party": PARTY, "training": TRAINING | training},
            "run",
        )
        self._align()
        self.left = {}  # all that leaves, by what it is
        self.hiddens = []  # rows and received matrices of every training batch

    @property
    def run_folder(self):
        return self.context.records.folder(RUN_ID)

    def _configuration(self, party):
        table = self.folder / "train.csv"
        if not table.exists():
            write_table(table)
        content = {
            "party": PARTY,
            "listen": "127.0.0.1:1",
            "label_party": PARTY,
            "peers": [{"name": name, "ca": f"{name}.pem"} for name in PEERS],
            "coordinators": [{"name": DRIVER, "ca": "driver.pem"}],
            "tls": {"certificate": "bank.pem", "key": "bank-key.pem"},
            "state": "state",
            "pinned_secret": SECRET.hex(),
            "policy": {"minimum_metric_rows": 8, "running_metrics": True, "exact_metrics": True},
            **party,
        }
        content["data"] = {"id": "ID", "datasets": {"train": "train.csv"}, **content["data"]}
        path = self.folder / "bank.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        path.chmod(0o600)
        return load_party_configuration(path)

    def _align(self):
        table = self.context.tables.table("train")
        self.context.alignments.save(
            "train",
            StoredAlignment(
                alignment_id=bytes(16),
                rows=np.arange(ROWS),
                data_sha256=bytes.fromhex(table.sha256),
                id_column="ID",
                parties=PARTIES,
                row_secret=pinned_row_secret(SECRET, "train"),
            ),
        )

    def _opening(self, purpose, start=ORIGIN, resume=False):
        dataset = "" if purpose == Purpose.PURPOSE_TRAIN else "train"
        request = SessionRequest(
            coordinator=DRIVER, purpose=purpose, run_id=RUN_ID, run=self.run, dataset=dataset, resume=resume
        )
        content = self.run.model_dump_json().encode()
        proposal = SessionProposal(
            coordinator=DRIVER,
            run_id=RUN_ID,
            purpose=purpose,
            start=start,
            resume=resume,
            configuration=content,
            dataset=dataset,
            realign=False,
        )
        return Opening(
            context=self.context,
            grant=self.context.admission.admit(request),
            proposal=proposal,
            run=self.run,
            configuration_sha256=hashlib.sha256(content).digest(),
        )

    def open_training(self, start=ORIGIN, peers=None):
        """Opens a session that trains from the beginning, or from a checkpoint with the peers' states at that point."""
        opening = self._opening(Purpose.PURPOSE_TRAIN, start, resume=start != ORIGIN)
        restored = None if start == ORIGIN else CheckpointFiles(opening.folder, PARTY).read(start)
        setup = training_setup(opening, former_run(opening))
        batches = dataclasses.replace(setup.batches, read_labels=lambda: self.labels)
        setup = dataclasses.replace(setup, batches=batches)
        agreement = BatchAgreement(batches, partial(complete_models, batches))
        self._begin(TrainingPlan(setup, agreement, Batches(batches, agreement), restored), batches, agreement)
        for name, state in (peers or {}).items():
            self.channels[name].hiddens.set_state(state)

    def open_inference(self, purpose):
        """Opens a session that evaluates or predicts."""
        setup = inference_setup(self._opening(purpose))
        predicts = purpose == Purpose.PURPOSE_PREDICT
        labels = SessionLabels(self.labels.true) if predicts else self.labels
        setup = dataclasses.replace(setup, read_labels=lambda: labels)
        agreement = BatchAgreement(setup)
        self._begin(InferencePlan(setup, agreement, Batches(setup, agreement)), setup, agreement)

    def _begin(self, plan, setup, agreement):
        self.plan, self.schedule, self.grant = plan, setup.schedule, setup.opening.grant
        self.packed = setup.packed
        names = (PARTY, *PEERS)
        pairs = {(a, b): bytes([1 + 4 * i + j]) * 32 for i, a in enumerate(names) for j, b in enumerate(names)}

        def keys(name):
            others = [other for other in names if other != name]
            outgoing = {other: pairs[name, other] for other in others}
            return SealingKeys(bytes(32), outgoing, {other: pairs[other, name] for other in others})

        training = self.run.training
        trains = setup.training is not None
        self.channels = {
            name: feature_channels(
                ChannelSettings(
                    party=name,
                    label_party=PARTY,
                    dataset="train",
                    rows=ROWS,
                    codecs=training.codecs if trains else None,
                    largest_training_batch=setup.training.largest_training_batch if trains else 0,
                    seed=training.seed,
                ),
                CutLayout(self.specs),
                keys(name),
            )
            for name in PEERS
        }
        self.grant.reserve(plan.facts.release)
        agreement.agreed({name: Hello(outputs=specs_to_messages(self.specs)) for name in PEERS})
        self._note("facts", repr(plan.facts))
        plan.start(keys(PARTY), lambda peer: bytes(32))
        self.grant.agreed()
        self.label = plan.offered.batches.label("Fuse")
        self.pending = []

    def _note(self, what, content):
        self.left.setdefault(what, []).append(content)

    def exchange(self):
        """Makes the next exchange, as far as the schedule has batches under way."""
        exchange = self.schedule.exchange(self.label.position)
        if exchange.activity is Activity.DECIDE:
            self._collect(0)
            envelopes, stops = self.label.decide(exchange.position)
            self._note("decisions", (stops, [one.SerializeToString() for one in envelopes]))
        else:
            rows = self.schedule.rows(exchange)
            envelopes = [self._hidden(name, exchange, rows) for name in PEERS]
            if exchange.activity is not Activity.TRAIN:
                self._collect(0)
            self.pending.append(self.label.fuse(exchange.position, envelopes))
            self._collect(self.schedule.depth - 1)
        following = None if self.label.finished else self.schedule.exchange(self.label.position)
        if following is None or following.activity is not Activity.TRAIN or following.epoch != exchange.epoch:
            self._collect(0)
            self.report()

    def _hidden(self, name, exchange, rows):
        generator = np.random.default_rng([exchange.position, *name.encode()])
        matrix = generator.normal(0, 0.5, (len(rows), CutLayout(self.specs).columns)).astype(np.float32)
        trains = exchange.activity is Activity.TRAIN
        if trains:
            self.hiddens.append((name, rows, matrix))
        return self.channels[name].hiddens.send(matrix, Place(exchange.position, rows, trains=trains))

    def _collect(self, left_under_way):
        """Takes the gradients of the oldest batches under way, then lets their own updates be done."""
        while len(self.pending) > left_under_way:
            envelopes = self.pending.pop(0).result()
            self._note("gradients", [one.SerializeToString() for one in envelopes])
            self.label.finish_update()

    def report(self):
        """Notes a report once all that it depends on is done."""
        self.label.wait_for_update()
        reply = report_reply(self.plan.offered.report(0))
        self._note("activities", [(one.activity, one.count) for one in reply.timings])
        del reply.timings[:]
        self._note("reports", reply.SerializeToString(deterministic=True))
        self._note("released", dict(self.plan.released))

    def checkpoint(self):
        """Makes a checkpoint; returns its point in the run's history."""
        self._collect(0)
        step = self.plan.progress.step
        self.plan.snapshot(step)
        lineage, vouchers = self.plan.prepare(step)
        self.peers = {name: channels.hiddens.state() for name, channels in self.channels.items()}
        self._note("prepared", (lineage, [one.SerializeToString() for one in vouchers]))
        files = CheckpointFiles(self.run_folder, PARTY)
        (mark,) = (one for one in files.prepared() if one.step == step)
        path = self.run_folder / "checkpoints" / f"{step:012d}-{lineage.hex()}.checkpoint"
        self._note("checkpoint bytes", path.stat().st_size)
        return mark

    def finish(self):
        """Makes all exchanges that are left, and writes the results."""
        while not self.label.finished:
            self.exchange()
        result = self.plan.finish()
        self._note("result", (result.files, result.rows, result.lineage))
        self.close("finished")

    def close(self, how):
        self.plan.close()
        self.grant.ended(how, self.plan.released)
        self._note("ledger", (self.configuration.path(self.configuration.state) / LEDGER_FILE).read_bytes())

    def weights(self):
        with np.load(self.run_folder / "weights.npz", allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}

    def own_files(self):
        """Returns what is only for the label party's eyes, by file name."""
        names = ("history.json", "steps.csv", "evaluations.jsonl", "predictions-train.csv", "weights.npz")
        return {name: (self.run_folder / name).read_bytes() for name in names if (self.run_folder / name).exists()}


def write_table(path):
    """Writes the label party's file: features, and labels that say nothing, as tests give them separately."""
    generator = np.random.default_rng(0)
    films = [f"film{number}" for number in range(6)]
    frame = pd.DataFrame({"ID": [f"r{number:03d}" for number in range(ROWS)]})
    frame["film"] = generator.choice(films, ROWS)
    frame["income"] = [f"{value:.2f}" for value in generator.normal(10, 3, ROWS)]
    frame["seen"] = [" ".join(generator.choice(films, generator.integers(0, 4))) for _ in range(ROWS)]
    frame["liked"], frame["minutes"], frame["mood"] = ["5", "2"] * (ROWS // 2), "1.0", CLASSES[0]
    frame.to_csv(path, index=False)
