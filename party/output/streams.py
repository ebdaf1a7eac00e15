"""Streams that take every text: what their encoding lacks is written in another form, and never raises an error."""

from __future__ import annotations

import codecs
import sys
import unicodedata
from collections.abc import Iterable
from io import TextIOWrapper
from typing import TextIO

ERRORS = "ascii_forms"
# click takes an ASCII stream for one that was set by mistake, and writes UTF-8 to it; so ours has another name.
ASCII = "printed_ascii"
UNKNOWN = "?"
FORMS = str.maketrans(
    {
        **dict.fromkeys("‐‑‒–—―−─━═╌┄", "-"),
        **dict.fromkeys("│┃║╎┆", "|"),
        **dict.fromkeys("┌┐└┘├┤┬┴┼┏┓┗┛┣┫┳┻╋┡┩╇╈╔╗╚╝╠╣╦╩╬╭╮╯╰", "+"),
        **dict.fromkeys("█▉▊▋▌▍▎▏▓", "#"),
        **dict.fromkeys("‘’‚‛′", "'"),
        **dict.fromkeys("“”„‟″", '"'),
        **dict.fromkeys("•·∙", "*"),
        "×": "x",
        "→": "->",
        "←": "<-",
        "≤": "<=",
        "≥": ">=",
        "≠": "!=",
        "≈": "~",
        "±": "+-",
        "°": " degrees",
        "µ": "u",
        "⁄": "/",
        "€": "EUR",
        "ε": "epsilon",
        "σ": "sigma",
    }
)


def use_printable_streams() -> None:
    """Makes standard output and standard error of this process take every text."""
    make_printable((sys.stdout, sys.stderr))


def make_printable(streams: Iterable[TextIO]) -> None:
    """Makes streams write what they cannot encode in other letters; `?` stands for what has no such form.

    Args:
        streams: of text; those that are no files stay as they are, because they take every text.
    """
    codecs.register_error(ERRORS, _ascii_forms)
    for stream in streams:
        if not isinstance(stream, TextIOWrapper):
            continue
        if codecs.lookup(stream.encoding).name == "ascii":
            codecs.register(_named_ascii)
            stream.reconfigure(encoding=ASCII, errors=ERRORS)
        else:
            stream.reconfigure(errors=ERRORS)


def ascii_form(text: str) -> str:
    """Writes a text in ASCII: signs in the usual other forms, letters without accents, and `?` for all others.

    Args:
        text: any.
    """
    plain = unicodedata.normalize("NFKD", text.translate(FORMS)).translate(FORMS)
    return "".join(one if one.isascii() else "" if unicodedata.combining(one) else UNKNOWN for one in plain)


def _ascii_forms(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return ascii_form(error.object[error.start : error.end]), error.end


def _named_ascii(name: str) -> codecs.CodecInfo | None:
    if name != ASCII:
        return None
    known = codecs.lookup("ascii")
    return codecs.CodecInfo(
        name=ASCII,
        encode=known.encode,
        decode=known.decode,
        incrementalencoder=known.incrementalencoder,
        incrementaldecoder=known.incrementaldecoder,
        streamreader=known.streamreader,
        streamwriter=known.streamwriter,
    )
