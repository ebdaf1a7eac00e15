"""The fixed texts of an audit's pages."""

from __future__ import annotations

from collections.abc import Mapping

from party.audit.report.audit_row import AuditVerdict
from party.audit.report.judgement import ERRORS, IN_PART, MOST_MARGIN, OPEN, READABLE, READABLE_EPSILON

TITLE = "Audit of what a run gives away"

READING = (
    "Figures are areas under the ROC curve (AUC) over rows that the attacker does not know: 0.5 is a guess, 1 is"
    " certainty. A figure below 0.5 counts by its distance from 0.5. ± is one standard error over the rows."
    " 'One step' is the messages of one batch, or of one epoch for a probe; 'all epochs' is everything that left in"
    " training. 'Without run' is what the same knowledge gives without any message: a correlation is no leak."
    " 'Ceiling' is 1/(1+e^-epsilon), the most that epsilon allows, whatever the attack. – means that a figure does not"
    " exist, and ? that it needs what only another party knows."
)

VERDICTS: Mapping[AuditVerdict, str] = {
    "open": f"{OPEN:g} and above: the attacker reads the secret of nearly every row",
    "readable": f"{READABLE:g} and above: wrong for some rows, right for most",
    "in part": f"{IN_PART:g} and above: better than a guess",
    "nothing found": f"below {IN_PART:g}, or not above the figure without a run by {ERRORS:g} standard errors;"
    " another attack may find more",
    "within": f"an epsilon below {READABLE_EPSILON:g} bounds this attack, and it exceeded neither the ceiling nor"
    f" {READABLE:g} by {ERRORS:g} standard errors",
    "above": f"more than the ceiling by {ERRORS:g} standard errors: other columns tell the rest, or there is a defect;"
    " find out which",
    "too few rows": f"{ERRORS:g} standard errors are more than {MOST_MARGIN:g}: the rows can show neither a leak nor"
    " its absence",
    "not measured": "this party alone cannot know it",
}

NEVER_PROMISED = (
    f"Hidden labels at an epsilon of {READABLE_EPSILON:g} and above: who adds own columns reads most of them.",
    "Anonymous entities: rows of one user, film or shop can be linked by their hiddens in every mode.",
    "Hidden membership: an alignment tells the parties which ids they have in common.",
    "Useful differential privacy of features at an epsilon below 8.",
    "That masked sums or a narrow cut hide attributes of entities.",
    "Safety from an active label party, which trains the cut for what it wants to know; only private columns bound it.",
    "An epsilon for decorrelation, for codecs or for noise.",
    "Metrics beyond their standard error.",
)

NOT_MEASURED = (
    "Attacks that nobody has thought of: a figure is what these attacks found, and no bound. Only a ceiling is one.",
    "What a party tells from its own columns or its own trained model, which it alone has: ? in the table.",
    "What evaluations, predictions and metrics told: the ledger counts them.",
    "What several parties find out if they pool what they received.",
    "Whether the machine, the files or the people of a party leak.",
)

UPPER_BOUND = (
    "Each party computed its part from what it sent itself and from its own data, so no figure crossed a boundary"
    " without its owner's decision. The figures are computed from the secrets themselves, and no epsilon covers them."
)
