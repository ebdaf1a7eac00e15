"""A coordinator weighs and times every message that it relays, and guesses which batches have many positive rows."""

import time
from collections import defaultdict

import numpy as np

from party.audit.attacks.relayed_messages import relayed_messages_attack
from party.audit.received_file import received_files
from party.audit.recording import FOLDER, read_ids
from tests.attacks.outcome import Outcome
from tests.support.organisations import Organisations
from tests.support.relaying import Relay

TRAINING = {"epochs": 8, "batch_size": 16, "remainder": "drop"}
RECORD = {"bob": {"audit": {"record": True}}}
STANDARD_ERRORS = 3
WARM_UP = 20  # batches whose time is that of compiling


class Scales:
    """Notes the bytes of every message of a batch, and the seconds until its reply."""

    def __init__(self):
        self.sizes, self.seconds = defaultdict(list), defaultdict(list)

    def __call__(self, send, party, method, request):
        started = time.perf_counter()
        reply = send(request)
        if method in ("Fuse", "Backward"):
            self.seconds[request.position].append(time.perf_counter() - started)
            self.sizes[request.position] += [request.ByteSize(), reply.ByteSize()]
        return reply


def attack(folder, seed):
    """Plays the attack against default policies."""
    sizes, seconds, shares = observed(folder, seed)
    results = [relayed_messages_attack(figures, shares) for figures in (sizes, seconds)]
    areas = [one.all_epochs for one in results]
    held = all(abs(one.all_epochs - 0.5) <= STANDARD_ERRORS * one.standard_error for one in results)
    now = f"AUC {areas[0]:.2f} by sizes, {areas[1]:.2f} by times, of {len(shares)} batches"
    return Outcome("batches with many positive rows", "never more", now, held)


def observed(folder, seed):
    """Sizes and times by batch, each float (batches, figures), and the share of positive rows in each batch."""
    training, scales = {**TRAINING, "seed": seed}, Scales()
    with Organisations(folder, training=training, overrides=RECORD) as organisations:
        organisations.start_servers().write_run()
        with Relay(organisations.run_path, scales) as parties:
            parties.align()
            run_id = parties.fit().run_id
        received = organisations.state_path("bob") / "runs" / run_id / FOLDER
        table = organisations.read_table("bob", "train").set_index("ID").loc[read_ids(received, "train")]
        labels = (table["rating"].astype(float) > 3).to_numpy()
        (file,) = received_files(received, "hidden")
        shares = {batch.position: labels[batch.rows].mean() for batch in file.batches() if batch.trains}
    # The last batch of all is not followed by hiddens of another one: its reply is shorter, whatever its labels.
    positions = sorted(shares)[WARM_UP:-1]
    return (
        np.array([scales.sizes[one] for one in positions], np.float64),
        np.array([scales.seconds[one] for one in positions]),
        np.array([shares[one] for one in positions]),
    )
