"""What metrics mean, in words for everybody."""

from __future__ import annotations

from collections.abc import Collection

VALIDATION_PREFIX = "val_"
LOSS = "loss"
ERROR_SUFFIX = "_error"  # of the standard error of an estimate beside it
SEPARATOR = "_"
CALIBRATION_ERROR = "calibration_error"

MEANINGS: dict[str, str] = {
    "loss": "What training lowers: the mean error of the predictions. Lower is better.",
    "log_loss": "Mean surprise at the true class. Lower is better.",
    "auc": "How often a positive row is ranked above a negative one: 0.5 is a guess, 1 is perfect.",
    "pr_auc": "Precision averaged over all thresholds: higher is better, and the share of positive rows is a guess.",
    "f1": "Balance of precision and recall: 1 is perfect.",
    "precision": "Share of the rows predicted as positive that are.",
    "recall": "Share of the positive rows that are found.",
    "binary_accuracy": "Share of the rows whose class is predicted.",
    "sparse_categorical_accuracy": "Share of the rows whose class is predicted.",
    "calibration": "Positive rows that the model expects over those there are: 1 is right, above 1 is too many.",
    "calibration_error": "Mean distance between predicted probability and observed share: 0 is right.",
    "grouped_auc": "AUC within each group of rows, such as those of one user, averaged.",
    "gate": "How much this label uses this expert, on average.",
    "gradient_share": "Share of this label in the gradients that all labels train together.",
    "hit_rate": "Share of the groups with a positive row among the first k.",
    "ndcg": "Quality of the ranking within groups: 1 is perfect.",
    "mean_absolute_error": "Mean distance between predicted and true number. Lower is better.",
    "mean_squared_error": "Mean squared distance between predicted and true number. Lower is better.",
    "root_mean_squared_error": "Root of the mean squared distance. Lower is better.",
}
OTHER_MEANING = "As the label party defines it."
GLOSSARY = (
    ("party", "An organisation that takes part with its own data. One of them holds the labels."),
    ("coordinator", "The program that drives a run. It holds no data, no labels and no keys of parties."),
    ("label", "What the model learns to predict."),
    ("row", "One case, such as one purchase or one visit, known to the parties by a common id."),
    ("hidden", "Numbers that a party's model computes from its columns and sends to the label party."),
    ("gradient", "Numbers that the label party sends back, by which a party's model improves."),
    ("epoch, step", "One pass over all training rows; one update by one batch of rows."),
    ("held-out rows", "Rows that training does not see: figures on them tell how well the model does on new cases."),
    ("epsilon", "A bound on what can be learned of a secret: below 1 is little, 2 and above is readable."),
)


def metric_key(name: str) -> str:
    """The metric that a name ends with, without a label before it; empty if it is not known.

    Args:
        name: as in a history, without the prefix of held-out rows.
    """
    fitting = [key for key in MEANINGS if name == key or name.endswith(SEPARATOR + key)]
    return max(fitting, key=len, default="")


def metric_meaning(name: str) -> str:
    """What a metric means.

    Args:
        name: as in a history.
    """
    return MEANINGS.get(metric_key(name.removeprefix(VALIDATION_PREFIX)), OTHER_MEANING)


def tasks_of(names: Collection[str]) -> tuple[str, ...]:
    """The labels that a history names: those with a loss of their own; empty for a single label.

    Args:
        names: names of metrics.
    """
    ending = SEPARATOR + LOSS
    found = {name.removesuffix(ending) for name in names if metric_key(name) == LOSS and name.endswith(ending)}
    return tuple(
        sorted(one for one in found if not one.startswith(VALIDATION_PREFIX) and one != VALIDATION_PREFIX[:-1])
    )


def is_standard_error(name: str, names: Collection[str]) -> bool:
    """Whether a figure is the standard error of another one, as those of private labels have.

    Args:
        name: as in a history.
        names: all of them.
    """
    if metric_key(name) != CALIBRATION_ERROR:
        return name.endswith(ERROR_SUFFIX) and name.removesuffix(ERROR_SUFFIX) in names
    # Labels that are drawn at random have no calibration error: there, the name is the error of the calibration.
    return any(is_standard_error(one, names) for one in names if metric_key(one) != CALIBRATION_ERROR)
