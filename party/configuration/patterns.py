"""Texts that follow a pattern, such as names: each pattern with the words for it."""

from __future__ import annotations

from dataclasses import dataclass

NAME_PATTERN = r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
DATASET_PATTERN = r"^[A-Za-z][A-Za-z0-9_-]{0,62}$"
TASK_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"
FUNCTION_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
KERAS_NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_]{0,63}$"
ARGUMENT_PATTERN = r"^[a-z][a-z0-9_]{0,63}$"
METRIC_PATTERN = r"^val_[a-z0-9_]{1,128}$"
DIGEST_PATTERN = r"^[0-9a-f]{64}$"


@dataclass(frozen=True)
class PatternWords:
    """What a text must be to match a pattern.

    Attributes:
        expected: in words, with an article.
        example: a text that matches.
    """

    expected: str
    example: str


WORDS = {
    NAME_PATTERN: PatternWords(
        "a name of lower-case letters, digits and hyphens that begins with a letter, ends with no hyphen and has at"
        " most 63 characters",
        "alice",
    ),
    DATASET_PATTERN: PatternWords(
        "a name of letters, digits, _ and - that begins with a letter and has at most 63 characters", "train"
    ),
    TASK_PATTERN: PatternWords(
        "a name of lower-case letters, digits and _ that begins with a letter and has at most 63 characters", "liked"
    ),
    FUNCTION_PATTERN: PatternWords("the name of a Python function", "base_model"),
    KERAS_NAME_PATTERN: PatternWords("a name of Keras: letters, digits and _", "adam"),
    ARGUMENT_PATTERN: PatternWords(
        "the name of an argument: lower-case letters, digits and _, beginning with a letter", "momentum"
    ),
    METRIC_PATTERN: PatternWords("the name of a metric of the held-out rows, which begins with val_", "val_auc"),
    DIGEST_PATTERN: PatternWords("64 hexadecimal digits, the letters among them in lower case", "0123456789abcdef" * 4),
}
