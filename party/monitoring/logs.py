"""The form of a log: lines of text, or one JSON object a line."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
SHORT_RUN_ID = 8  # characters that a log shows of a run_id


@dataclass(frozen=True)
class RunPlace:
    """Where a process is while it writes a line.

    Attributes:
        run_id: of the run whose session is open, hexadecimal; empty without one.
        step: number of training steps of the run that are done.
    """

    run_id: str = ""
    step: int = 0


class LogPlace:
    """Says where the process is; what knows that is made after the log.

    Attributes:
        source: returns the place.
    """

    def __init__(self) -> None:
        self.source: Callable[[], RunPlace] = RunPlace


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object.

    Args:
        process: fields of every line, such as the name of the party.
        place: where the process is.
    """

    def __init__(self, process: Mapping[str, str], place: LogPlace) -> None:
        super().__init__()
        self._process = dict(process)
        self._place = place

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line: time in UTC, level, logger, message, process and, with a session, run and step."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._process,
        }
        place = self._place.source()
        if place.run_id:
            line |= {"run": place.run_id[:SHORT_RUN_ID], "step": place.step}
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__  # its text, as of another library's error, may hold a cell
        return json.dumps(line)


def json_log(process: Mapping[str, str], level: str, place: LogPlace) -> None:
    """Makes the log of this process JSON lines on standard error.

    Args:
        process: fields of every line.
        level: lowest level that is logged.
        place: where the process is.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process, place))
    logging.basicConfig(level=level.upper(), handlers=[handler])


def text_log(level: str) -> None:
    """Makes the log of this process lines of text on standard error.

    Args:
        level: lowest level that is logged.
    """
    logging.basicConfig(level=level.upper(), format=TEXT_FORMAT, stream=sys.stderr)


def report(text: str, write: Callable[[str], None], level: int = logging.ERROR) -> None:
    """Writes a line of a command on standard error: in a log of JSON lines as one of them, otherwise as it is.

    Args:
        text: one line.
        write: writes the line as it is.
        level: of the line in the log.
    """
    if any(isinstance(handler.formatter, JsonFormatter) for handler in logging.getLogger().handlers):
        logging.getLogger(__name__).log(level, text)
    else:
        write(text)
