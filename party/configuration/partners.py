"""A configuration whose partners are all yet to be accepted: one sentence says what to do."""

from __future__ import annotations

from pydantic import model_validator

from party.configuration.strict import StrictModel

_PROGRAMS = {"peers": "party", "coordinators": "party", "parties": "coordinator"}  # by list: whose `accept` fills it


class FileWithPartners(StrictModel):
    """A whole file that names partners in lists, which `init` writes empty."""

    @model_validator(mode="before")
    @classmethod
    def _names_partners(cls, content: object) -> object:
        lists = [key for key in _PROGRAMS if key in cls.model_fields]
        if isinstance(content, dict) and all(content.get(key) == [] for key in lists):
            raise ValueError(
                f"key {' and key '.join(lists)}: no partner is named yet; `{_PROGRAMS[lists[0]]} accept` adds those"
                " whose invitations you confirm"
            )
        return content
