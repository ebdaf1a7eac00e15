"""A label party's owner who grants sessions that spend epsilon of its labels, on a real ledger."""

from datetime import UTC, datetime

from party.configuration.party import PartyConfiguration
from party.configuration.run import RunConfiguration, TrainingSection
from party.configuration.strict import validate
from party.ledger.account import Account, charges_by_session
from party.ledger.charge import Charge
from party.ledger.file import Ledger
from party.pb.handshake_pb2 import Purpose
from party.policy.admission import make_admission, record_start
from party.policy.requests import Release, SessionRequest
from tests.support.configuration_cases import label_party

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LABEL_PARTY = "bank"
COORDINATORS = ("driver", "other")
UNLIMITED = {"maximum_runs": 10**9, "maximum_sessions_per_day": 10**9, "maximum_releases_per_row": 10**9}


def labels_charge(epsilon, generation=1, audience=("driver", "shop")):
    """Returns a charge of the labels; `epsilon` None is an exact release."""
    return Charge(
        secret="labels", generation=0 if epsilon is None else generation, epsilon=epsilon, audience=tuple(audience)
    )


class SpendingOwner:
    """A party's admission by a policy with a budget of labels.

    Args:
        folder: the party's own, which holds its state.
        budget: the section of the budget; None without one.
    """

    def __init__(self, folder, budget):
        content = label_party()
        content["coordinators"] = [{"name": name, "ca": "x.pem"} for name in COORDINATORS]
        content["policy"] = UNLIMITED | ({} if budget is None else {"budgets": {"labels": budget}})
        self.configuration = validate(PartyConfiguration, content, "x")
        self.ledger = Ledger(folder / "state", lambda: NOW)
        self._sessions = len(self.ledger.entries)
        self.admission = make_admission(
            self.configuration, self.ledger, now=lambda: NOW, random_bytes=self._next_session
        )
        record_start(self.ledger, "test")

    def _next_session(self, count):
        self._sessions += 1
        return self._sessions.to_bytes(count, "big")

    def reserve(self, *charges, coordinator=COORDINATORS[0], resume=False):
        """Opens a session with these charges; returns its grant."""
        run = RunConfiguration(parties=(LABEL_PARTY, "shop"), label_party=LABEL_PARTY, training=TrainingSection())
        grant = self.admission.admit(
            SessionRequest(
                coordinator=coordinator,
                purpose=Purpose.PURPOSE_TRAIN,
                run_id=bytes(16),
                run=run,
                dataset="",
                resume=resume,
            )
        )
        grant.reserve(Release(10, most={"gradients": 10}, charges=charges))
        return grant

    def spend(self, *charges, **options):
        """Opens a session, has it agreed, and ends it without having released anything."""
        grant = self.reserve(*charges, **options)
        grant.agreed()
        grant.ended("completed", {})

    def account(self):
        """Returns the account of everything in the ledger."""
        charges = charges_by_session(self.ledger.entries, LABEL_PARTY)
        return Account(one for made in charges.values() for one in made)
