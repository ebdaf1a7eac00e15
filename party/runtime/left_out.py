"""Sessions that do without some feature parties of their run: whether one may be opened, and whether its model can."""

from __future__ import annotations

from party.configuration.run import RunConfiguration
from party.errors import SessionError
from party.pb.handshake_pb2 import Purpose
from party.runtime.proposal import Opening, SessionProposal
from party.runtime.records import RunRecord
from party.runtime.session_rows import SessionRows
from party.security.printable import printable

INFERENCE = frozenset((Purpose.PURPOSE_EVALUATE, Purpose.PURPOSE_PREDICT))
LEARN = "train with training.party_dropout, or with a left join in which rows of training find no partner"


def check_left_out(party: str, proposal: SessionProposal, run: RunConfiguration) -> None:
    """Refuses to leave out parties where no session can do without them.

    Args:
        party: name of this party.
        proposal: the proposal as received.
        run: the run configuration of the proposal.

    Raises:
        SessionError: the session trains, aligns or adds up masked hiddens, or what is left out is no feature party.
    """
    left_out = proposal.without
    if not left_out:
        return
    if proposal.purpose not in INFERENCE:
        raise SessionError("only an evaluation or a prediction leaves parties out", where=party)
    if len(set(left_out)) != len(left_out) or not set(left_out) <= set(run.feature_parties):
        raise SessionError(
            "a session leaves out feature parties of its run, each named once",
            where=party,
            expected=", ".join(run.feature_parties),
            received=printable(", ".join(left_out)),
        )
    if party in left_out:
        raise SessionError("was asked to open a session that leaves it out", where=party)
    if run.masked_parties:
        raise SessionError(
            "with training.secure_aggregation no party can be left out: the difference between the sum of all and the"
            " sum of the others would be that party's own hiddens",
            where=party,
            fix="name no party to leave out",
        )


def require_learned_absences(opening: Opening, record: RunRecord, rows: SessionRows) -> None:
    """Refuses rows without a party where the model never learned to do without it; for the label party.

    Args:
        opening: the granted proposal.
        record: the label party's record of the run.
        rows: the rows of the session.

    Raises:
        SessionError: in training every row had the hiddens of a party that is left out, or that lacks some rows.
    """
    where = f"{opening.context.party}: run {record.run_id[:8]}"
    left_out = [name for name in sorted(opening.proposal.without) if name not in record.absent_trained]
    if left_out:
        raise SessionError(
            f"the run never saw a row without {', '.join(left_out)}, so its model cannot do without",
            where=where,
            fix=LEARN,
        )
    absent = [name for name, row_map in rows.peer_maps.items() if name in opening.parties and row_map.has_absent]
    unknown = [name for name in sorted(absent) if name not in record.absent_trained]
    if unknown:
        raise SessionError(
            f"dataset {rows.dataset} has rows without a partner at {', '.join(unknown)},"
            " and the run never saw such rows",
            where=where,
            fix=f"{LEARN}, or join with kind inner",
        )
