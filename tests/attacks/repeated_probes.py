"""A label party, together with the coordinator, goes back again and again to ask a feature party's secret weights anew.

Each time it sends other gradients for the same step, and reads off the next hiddens what they did to the same weights.
As many questions about one state as there are returns give weights and rows away that one question does not.
"""

from contextlib import contextmanager
from unittest.mock import patch

import numpy as np

from coordinator import connect
from coordinator.exchanges import run_exchanges
from coordinator.session import CoordinatedSession, ProposedSession, new_run_id
from party.cut.results import TrainingResult
from party.errors import SealError
from party.pb.handshake_pb2 import Purpose
from party.protocol.gradient_sender import GradientSender
from party.protocol.label_exchanges import LabelExchanges
from tests.attacks.outcome import Outcome
from tests.support.organisations import Organisations

RESUMES = 12
LOUDNESS = 5.0  # of a crafted gradient: far above an honest one
TRAINING = {"epochs": 1, "batch_size": 64, "optimizer": {"name": "sgd", "learning_rate": 0.1}}
DEFAULTS = {name: {"policy": {}, "pinned_secret": None} for name in ("alice", "bob")}


class Probed(Exception):
    """The answer to a probe was seen."""


class ProbingLabelParty:
    """Crafts the gradients of each session's first step, and keeps the hiddens that it sees.

    Args:
        seed: of the gradients.
    """

    def __init__(self, seed):
        self._generator = np.random.default_rng(seed)
        self.seen = []  # by session, hiddens by position

    def craft(self, result):
        crafted = {
            party: self._generator.normal(0.0, LOUDNESS, gradient.shape).astype(np.float32)
            for party, gradient in result.gradients.items()
        }
        return TrainingResult(result.loss, result.outputs, result.measures, crafted)

    @contextmanager
    def at_work(self):
        send, opened = GradientSender.send, LabelExchanges._open

        def send_crafted(sender, exchange, rows, result):
            return send(sender, exchange, rows, self.craft(result) if exchange.step == 0 else result)

        def open_and_keep(label, exchange, rows, envelopes):
            hiddens = opened(label, exchange, rows, envelopes)
            self.seen[-1][exchange.position] = np.ascontiguousarray(hiddens["alice"]).tobytes()
            return hiddens

        with (
            patch.object(GradientSender, "send", send_crafted),
            patch.object(LabelExchanges, "_open", open_and_keep),
        ):
            yield


def stop_once_answered(traffic):
    if traffic.steps > 1:
        raise Probed


def probe(folder, seed, resumes):
    """Goes back to the beginning; the hiddens that each session showed, and the error that ended the attempts."""
    label_party = ProbingLabelParty(seed)
    with Organisations(folder, training=TRAINING, overrides=DEFAULTS) as organisations:
        organisations.start_servers()
        with connect(organisations.write_run()) as parties, label_party.at_work():
            parties.align()
            run, run_id = parties.configuration.run, new_run_id()
            for attempt in range(1 + resumes):
                proposal = ProposedSession(
                    purpose=Purpose.PURPOSE_TRAIN,
                    run_id=run_id,
                    lease=parties._journal.lease,
                    configuration=run.to_bytes(),
                    resume=attempt > 0,
                )
                label_party.seen.append({})
                try:
                    with CoordinatedSession(parties._clients, run, proposal) as session:
                        run_exchanges(session, stop_once_answered)
                except Probed:
                    continue
                except SealError as error:
                    return label_party.seen, error
    return label_party.seen, None


def answers(seen):
    """How many different answers were seen of one and the same state."""
    first = {session[0] for session in seen if 0 in session}
    if len(first) != 1:
        raise AssertionError("the sessions did not begin at the same weights")
    return len({session[1] for session in seen if 1 in session})


def attack(folder, seed):
    seen, error = probe(folder, seed, RESUMES)
    found = answers(seen)
    refused = "the second one is refused" if error is not None else "none is refused"
    return Outcome(
        asset="a feature party's weights, asked anew after going back to the beginning",
        before=f"{RESUMES} resumes gave {RESUMES} probes at identical weights",
        now=f"{found} answer, as any step gives; {refused}",
        held=found == 1 and error is not None,
    )
