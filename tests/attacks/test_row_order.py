"""The attack on the order of rows, once: and that it reads every label where it knows the order."""

import numpy as np

from party.pb import party_pb2 as pb
from tests.attacks.row_order import BATCH_SIZE, Wiretap, attack, orders, outcome

ROWS, EPOCHS, SEED = 90, 80, 7  # more equations than rows: no other order than the true one fits them


def test_a_coordinator_reads_no_labels_from_one_run(tmp_path):
    read = attack(tmp_path, seed=SEED)
    assert read.held, read.now


def test_the_attack_reads_every_label_of_a_known_order():
    """Metrics as a run whose order follows from the seed alone would give them."""
    generator = np.random.default_rng(0)
    truth = (generator.random(ROWS) < 0.35).astype(int)
    losses = np.log1p(np.exp(np.where(truth == 1, 1, -1) * (0.5 + 0.3 * generator.random(ROWS))))
    order = orders(SEED, bytes(16), ROWS)[0]
    wiretap = Wiretap()
    for epoch in range(EPOCHS):
        by_place = losses[order(epoch)]
        for place in range(-(-ROWS // BATCH_SIZE)):
            batch = by_place[place * BATCH_SIZE : (place + 1) * BATCH_SIZE]
            step = epoch * -(-ROWS // BATCH_SIZE) + place
            wiretap._take(pb.ReportReply(steps=[pb.StepReport(step=step, rows=len(batch), loss=batch.mean())]))
    wiretap._epochs = [pb.EpochReport(train=pb.Metrics(values=[pb.NamedValue(name="recall", value=0.0)]))]
    read = wiretap.labels(SEED, ROWS)
    assert read.tolist() == truth.tolist()
    assert not outcome(truth, read).held


def test_without_any_figure_the_attack_guesses_the_same_for_all():
    truth = np.array([0, 1, 1, 0, 1])
    read = Wiretap().labels(SEED, len(truth))
    assert len(set(read.tolist())) == 1
    assert outcome(truth, read).held
