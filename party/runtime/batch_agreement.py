"""The agreement of a session with batches: compatible hiddens, and the same rows in the same order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from party.channel.matrix_encoding import check_batch_bytes
from party.cut.hidden import HiddenSpec
from party.cut.specs import specs_from_messages
from party.pb.handshake_pb2 import Confirmation, Hello
from party.runtime.batch_setup import BatchSetup
from party.runtime.masked_sums import require_equal_layouts

BuildFuse = Callable[[Mapping[str, tuple[HiddenSpec, ...]]], None]


def keep_fuse(specs: Mapping[str, tuple[HiddenSpec, ...]]) -> None:
    """Keeps an existing fuse model: the lineage in Hello ensures that the peers' models fit it."""


class BatchAgreement:
    """Checks the statements of the peers, and confirms this party's rows.

    Args:
        setup: the session's setup.
        build_fuse: completes the label party's fuse model from the hiddens of every party that sends any.
    """

    def __init__(self, setup: BatchSetup, build_fuse: BuildFuse = keep_fuse) -> None:
        self._setup = setup
        self._build_fuse = build_fuse
        self._peer_specs: dict[str, tuple[HiddenSpec, ...]] = {}

    @property
    def peer_specs(self) -> Mapping[str, tuple[HiddenSpec, ...]]:
        """Specs of the hiddens of every other feature party, once agreed."""
        return self._peer_specs

    def agreed(self, hellos: Mapping[str, Hello]) -> None:
        """Checks the hiddens of every party; the label party builds the fuse model for them.

        Args:
            hellos: hellos by party.

        Raises:
            PolicyError: the owner does not allow the aggregation of a hidden.
            SplitError: a batch would be too large, the hiddens do not fit the fuse model, or cannot be added up.
        """
        opening = self._setup.opening
        context = opening.context
        for name, hello in hellos.items():
            if name not in (context.party, opening.run.label_party):
                self._peer_specs[name] = specs_from_messages(hello.outputs, name)
        specs = {**self._peer_specs, context.party: self._setup.models.specs}
        for name, sent in specs.items():
            opening.grant.check_outputs(sent, name)
        if opening.run.masked_parties:
            require_equal_layouts(context.party, {name: specs[name] for name in opening.run.masked_parties})
        check_batch_bytes(self._peer_specs or specs, self._setup.schedule.largest_batch, context.party)
        if context.configuration.holds_labels:
            self._build_fuse({name: sent for name, sent in specs.items() if sent})

    def confirmation(self, pair_key: bytes, peer: str) -> Confirmation:
        """A keyed digest of the rows that this party loaded, and of the key of the run's order of rows.

        Args:
            pair_key: the 32 bytes that only this party and the peer know.
            peer: name of the peer.
        """
        return self._setup.rows.confirmation(pair_key, self._setup.row_key, peer)
