"""A run of the parties' exchanges in one process, with tiny NumPy models and real seals."""

from concurrent.futures import ThreadPoolExecutor

from party.data.entities import OneToOne
from party.protocol.feature_exchanges import FeatureExchanges
from party.protocol.feature_steps import FeatureSteps
from party.protocol.label_assembly import LabelSetup, label_exchanges
from party.protocol.label_halves import TrainableHalves
from tests.support.numpy_models import (
    LABEL_PARTY,
    NumpyBase,
    NumpyFuse,
    channels_of,
    make_data,
    make_keys,
    make_timings,
    training_schedule,
)

ROWS = 23


class Run:
    """A label party and its feature parties, with tiny models and real seals; no network."""

    def __init__(
        self,
        background,
        schedule=None,
        parties=("alice", "charlie"),
        minimum_metric_rows=1,
        own=True,
        make_fuse=NumpyFuse,
        local_steps=None,
    ):
        self.schedule = schedule or training_schedule(ROWS)
        # The label party's own base model is one more party, whose tensors cross no wire.
        self.inputs, self.labels = make_data([*parties, *([LABEL_PARTY] if own else [])], ROWS)
        self.keys = make_keys(parties)
        self.fuse = make_fuse(self.labels)
        self.bases = {party: NumpyBase(array) for party, array in self.inputs.items()}
        keys = self.keys[LABEL_PARTY]
        self.label = label_exchanges(
            LabelSetup(
                party=LABEL_PARTY,
                schedule=self.schedule,
                channels=channels_of(keys, LABEL_PARTY, parties),
                halves=TrainableHalves(self.fuse, self.bases.get(LABEL_PARTY)),
                labels=self.labels[:, None],
                minimum_rows=minimum_metric_rows,
                timings=make_timings(),
                background=background,
                local_steps=local_steps,
            )
        )
        self.features = {party: self.feature(party) for party in parties}
        self.goes_on = isinstance(background, ThreadPoolExecutor)  # else its update is pending at the next call
        self.waiting = {}

    def feature(self, party):
        base, channels, timings = self.bases[party], channels_of(self.keys[party], party), make_timings()
        steps = FeatureSteps(base, channels.hiddens, timings)
        entities = OneToOne(ROWS)
        return FeatureExchanges(
            party, self.schedule, channels, entities=entities, base=base, timings=timings, steps=steps
        )

    def hiddens(self):
        """Returns the envelopes of the next exchange."""
        for party, feature in self.features.items():
            if party not in self.waiting:
                self.waiting[party] = feature.forward(self.label.position)
        return list(self.waiting.values())

    def exchange(self):
        position = self.label.position
        gradients = self.label.fuse(position, self.hiddens()).result()
        if self.goes_on:
            self.label.finish_update()
        self.waiting = {}
        for gradient in gradients:
            following = self.features[gradient.receiver].backward(position, gradient)
            if following is not None:
                self.waiting[gradient.receiver] = following
        return gradients

    def finish(self):
        while not self.label.finished:
            self.exchange()
        self.label.wait_for_update()
        return self
