"""Rules that compare a column with a value, such as `Rating > 3`."""

from __future__ import annotations

import re
from typing import NamedTuple

_RULE = re.compile(
    r"\s*(?:`(?P<quoted>[^`]+)`|(?P<column>[^<>=!`]+?))\s*(?P<operator>>=|<=|==|!=|>|<)\s*(?P<operand>\S.*?)\s*"
)
_SECOND_OPERATOR = re.compile(r"[^\s<>=!]\s*(?:>=|<=|==|!=|>|<)\s*[^\s<>=!]")
_QUOTES = ("'", '"')
BACKQUOTES = "a column whose name holds < > = or ! stands in backquotes, as in `income_>50K` == 1"


class RuleParts(NamedTuple):
    """The parts of a rule.

    Attributes:
        column: name of the column, without backquotes.
        operator: one of > >= < <= == !=.
        operand: the value that cells are compared with, as it is written.
    """

    column: str
    operator: str
    operand: str


def rule_parts(rule: str) -> RuleParts:
    """Takes a rule apart.

    Args:
        rule: COLUMN OPERATOR VALUE; a column in backquotes may hold operators.

    Returns:
        Its parts.

    Raises:
        ValueError: it is no rule, or without backquotes nobody can say which of two operators compares.
    """
    match = _RULE.fullmatch(rule)
    if match is None:
        raise ValueError(
            f"must read COLUMN OPERATOR VALUE with one of > >= < <= == !=, such as Rating > 3; {BACKQUOTES}"
        )
    operand = match["operand"]
    if match["quoted"] is None and not operand.startswith(_QUOTES) and _SECOND_OPERATOR.search(operand):
        raise ValueError(f"holds two operators, and the first one would be taken: {BACKQUOTES}")
    return RuleParts(match["quoted"] or match["column"], match["operator"], operand)


def checked_rule(rule: str) -> str:
    """Refuses a text that is no rule.

    Args:
        rule: as configured.

    Returns:
        The same text.

    Raises:
        ValueError: as `rule_parts`.
    """
    rule_parts(rule)
    return rule
