"""Runs all sides of an alignment in memory, as a session does, with a hook that alters messages."""

from party.alignment.feature_side import FeatureSide
from party.alignment.label_side import LabelSide
from party.alignment.terms import AlignmentTerms
from party.data.ids import ids_of
from party.pb.party_pb2 import (
    MESSAGE_KIND_ALIGNED_ELEMENTS,
    MESSAGE_KIND_ALIGNMENT_COUNTERPROOF,
    MESSAGE_KIND_ALIGNMENT_PROOF,
    MESSAGE_KIND_PSI_REQUEST,
    MESSAGE_KIND_PSI_RESPONSE,
    MESSAGE_KIND_PSI_SETUP,
)
from party.policy.alignment_rules import AlignmentRules
from party.security.row_secret import RowSecret

LABEL = "shop"
ALIGNMENT_ID = bytes(range(16))
ROW_SECRET = RowSecret(bytes(range(32, 64)), pinned=False)


def pair_key(one, other):
    return "-".join(sorted((one, other))).encode().ljust(32, b"\0")


def terms(party, ids, peers, *, chunk_rows=4, minimum_intersection=1, maximum_peer_rows=1000, joined=False):
    return AlignmentTerms(
        party=party,
        peers=peers,
        ids={dataset: ids_of(list(texts)) for dataset, texts in ids.items()},
        chunk_rows=chunk_rows,
        rules=AlignmentRules(party, minimum_intersection, maximum_peer_rows),
        joined=joined,
    )


def rows_of(ids_by_dataset):
    return {dataset: len(ids) for dataset, ids in ids_by_dataset.items()}


def label_side(pool, ids, peers, *, joined=None, **policy):
    return LabelSide(
        terms(LABEL, ids, peers, joined=joined is not None, **policy),
        pair_key=lambda peer: pair_key(LABEL, peer),
        new_alignment_id=lambda: ALIGNMENT_ID,
        new_row_secret=lambda dataset: ROW_SECRET,
        pool=pool,
        joined=joined,
    )


def feature_side(pool, party, ids, label_rows, *, maps=None, **policy):
    own = terms(party, ids, {LABEL: label_rows}, joined=maps is not None, **policy)
    return FeatureSide(own, pair_key=lambda peer: pair_key(party, peer), pool=pool, maps=maps)


class Exchange:
    """All sides of one alignment.

    Args:
        pool: executor that all sides share.
        ids: by party, dataset and row; the label party is `LABEL`.
        alter: called with (kind, dataset, peer, index, message), returns the message to deliver.
        policies: policy numbers and chunk_rows of every side.
    """

    def __init__(self, pool, ids, alter=lambda kind, dataset, peer, index, message: message, **policies):
        peers = {party: rows_of(datasets) for party, datasets in ids.items() if party != LABEL}
        self.datasets = sorted(ids[LABEL])
        self.alter = alter
        self.label = label_side(pool, ids[LABEL], peers, **policies)
        self.features = {
            party: feature_side(pool, party, ids[party], rows_of(ids[LABEL]), **policies) for party in peers
        }
        self.counts = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.label.close()
        for side in self.features.values():
            side.close()

    def to_label(self, kind, dataset, party, index):
        message, total = self.features[party].produce(kind, dataset, LABEL, index)
        message = self.alter(kind, dataset, party, index, message)
        self.counts.append(self.label.consume(kind, dataset, party, index, message=message))
        return total

    def to_feature(self, kind, dataset, party, index):
        message, total = self.label.produce(kind, dataset, party, index)
        message = self.alter(kind, dataset, party, index, message)
        self.counts.append(self.features[party].consume(kind, dataset, LABEL, index, message=message))
        return total

    def all(self, send, kind, dataset, party):
        index, total = 0, 1
        while index < total:
            total = send(kind, dataset, party, index)
            index += 1

    def run(self):
        for dataset in self.datasets:
            for party in self.features:
                self.all(self.to_label, MESSAGE_KIND_PSI_SETUP, dataset, party)
                self.all(self.to_feature, MESSAGE_KIND_PSI_REQUEST, dataset, party)
                self.all(self.to_label, MESSAGE_KIND_PSI_RESPONSE, dataset, party)
            for party in self.features:
                self.all(self.to_feature, MESSAGE_KIND_ALIGNED_ELEMENTS, dataset, party)
                self.all(self.to_label, MESSAGE_KIND_ALIGNMENT_PROOF, dataset, party)
                self.all(self.to_feature, MESSAGE_KIND_ALIGNMENT_COUNTERPROOF, dataset, party)
        return {LABEL: self.label.results(), **{party: side.results() for party, side in self.features.items()}}
