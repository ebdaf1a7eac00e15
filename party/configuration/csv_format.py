"""How the CSV files of a party are written: `data.csv`."""

from __future__ import annotations

import codecs
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from party.configuration.strict import StrictModel

TAB = "\t"
NO_QUOTE = "none"
MAXIMUM_ENCODING_CHARACTERS = 64
# Python's codecs for other things than files of text.
_NO_FILE_ENCODINGS = frozenset(("idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"))
_SPELLED_TABS = ("tab", r"\t")


class CsvSection(StrictModel):
    """How all CSV files of a party are written.

    Attributes:
        separator: separator of fields, one character; `tab` is a tab.
        encoding: encoding of the text, by a name that Python has for it.
        header: whether the first line holds the names of the columns.
        columns: names of the columns of files without such a line, in the files' order.
        quote: quote around cells that hold separators, one character; `none` where quotes mean nothing.
        escape: how a quote is written inside quotes: twice, or with a backslash before it.
    """

    separator: str = ","
    encoding: str = Field(default="utf-8", max_length=MAXIMUM_ENCODING_CHARACTERS)
    header: bool = True
    columns: tuple[str, ...] = Field(default=(), strict=False)
    quote: str = '"'
    escape: Literal["double", "backslash"] = "double"

    @field_validator("separator")
    @classmethod
    def _one_character(cls, separator: str) -> str:
        separator = TAB if separator in _SPELLED_TABS else separator
        if separator != TAB and not _is_sign(separator):
            raise ValueError("must be a single character such as ; or |, neither a letter nor a digit, or tab")
        return separator

    @field_validator("quote")
    @classmethod
    def _one_quote(cls, quote: str) -> str:
        if quote != NO_QUOTE and not _is_sign(quote):
            raise ValueError("must be a single character, neither a letter nor a digit, or none")
        return quote

    @field_validator("encoding")
    @classmethod
    def _known(cls, encoding: str) -> str:
        if not _is_text_encoding(encoding):
            raise ValueError("must be an encoding that Python knows, such as utf-8, utf-16, latin-1 or cp1252")
        return encoding

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if bool(self.columns) == self.header:
            raise ValueError("header: false needs columns, the names of the files' columns, and nothing else does")
        if "" in self.columns or len(set(self.columns)) < len(self.columns):
            raise ValueError("columns must differ, and none may be empty")
        backslash = "\\" if self.escape == "backslash" else ""
        if len({self.separator, self.quote, backslash}) < len((self.separator, self.quote, backslash)):
            raise ValueError("separator, quote and escape must be different characters")
        if backslash and self.quote == NO_QUOTE:
            raise ValueError("escape is about quotes, and quote: none says that there are none")
        return self


def _is_text_encoding(encoding: str) -> bool:
    try:
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError):
        return False
    try:
        b"x".decode(encoding)
    except LookupError:
        return False  # a codec for something else than text
    except UnicodeError:
        pass  # half a character of UTF-16
    return name not in _NO_FILE_ENCODINGS


def _is_sign(text: str) -> bool:
    return len(text) == 1 and text.isascii() and text.isprintable() and not text.isalnum()
