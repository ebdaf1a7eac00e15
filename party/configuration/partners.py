"""A configuration whose partners are all yet to be accepted: one sentence says what to do."""

from __future__ import annotations


def with_partners(content: object, program: str, *lists: str) -> object:
    """Checks that a file names a partner, before its keys are looked at.

    Args:
        content: of the file.
        program: the command that takes invitations.
        lists: the keys that name partners.

    Returns:
        The same content.

    Raises:
        ValueError: all lists are there and empty, as `init` writes them.
    """
    if isinstance(content, dict) and all(content.get(key) == [] for key in lists):
        raise ValueError(
            f"key {' and key '.join(lists)}: no partner is named yet; `{program} accept` adds those whose invitations"
            " you confirm"
        )
    return content
