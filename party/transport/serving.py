"""The process of a party that serves: its signals, what watches it, and its end."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from party.configuration.party import PartyConfiguration
from party.errors import SplitError
from party.monitoring.logs import LogPlace
from party.runtime.column_ranges import load_with_columns
from party.runtime.garbage import freeze_loaded_objects
from party.runtime.serving_file import Serving, configuration_sha256
from party.transport.descriptors import raise_limit
from party.transport.received_signals import ReceivedSignals
from party.transport.server import BACKGROUND_NAME, HANDLER_NAME, PartyServer
from party.transport.watched import WatchedParty

LAST_WAIT_SECONDS = 1.0  # for threads to end

logger = logging.getLogger(__name__)


def serve(path: Path, configuration: PartyConfiguration, announce: Callable[[str], None], log_place: LogPlace) -> None:
    """Runs a party until it is stopped by SIGINT or SIGTERM; on SIGHUP it reads its configuration again.

    Args:
        path: the party's YAML file.
        configuration: the configuration as read from this file.
        announce: called once, when the party answers calls.
        log_place: says where the party is, for its log.
    """
    with WatchedParty(configuration) as watched:
        _serve(path, configuration, announce, watched=watched, log_place=log_place)


def exit_despite_running_threads() -> None:
    """Ends the process if a thread still runs: Python would wait for it, and building a model may take minutes.

    Nothing is lost: files are written under temporary names first, and an unfinished session has no results.
    """
    threads = [one for one in threading.enumerate() if one.name.startswith((HANDLER_NAME, BACKGROUND_NAME))]
    end_seconds = time.monotonic() + LAST_WAIT_SECONDS
    for thread in threads:
        thread.join(max(0.0, end_seconds - time.monotonic()))
    if any(thread.is_alive() for thread in threads):
        logger.warning("left behind a call that was still computing")
        logging.shutdown()
        sys.stdout.flush()
        os._exit(0)


def _serve(
    path: Path,
    configuration: PartyConfiguration,
    announce: Callable[[str], None],
    *,
    watched: WatchedParty,
    log_place: LogPlace,
) -> None:
    sha256 = configuration_sha256(path, configuration.authority_files)
    open_files = raise_limit()
    server = PartyServer(configuration)
    for warning in configuration.warnings:
        logger.warning(warning)
    log_place.source = server.place
    watched.show_metrics(server.activity, server.ledger_entries)
    freeze_loaded_objects()
    signals = ReceivedSignals(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    server.start()
    server.state(Serving(os.getpid(), sha256))
    role = "label party" if configuration.holds_labels else "feature party"
    host = configuration.listen.rpartition(":")[0]
    logger.info("may have %d files and connections open", open_files)
    announce(f"party {configuration.party} ({role}) is ready on {host}:{server.port}")
    watched.ready()
    while signals.wait() == signal.SIGHUP:
        _read_again(server, path)
    logger.info("stopping")
    watched.stopping()
    server.stop()


def _read_again(server: PartyServer, path: Path) -> None:
    sha256 = configuration_sha256(path, ())
    try:
        configuration = load_with_columns(path)
        sha256 = configuration_sha256(path, configuration.authority_files)
        changes = str(server.revise(configuration))
        logger.info("configuration read again: %s", changes)
        serving = Serving(os.getpid(), sha256, changes=changes)
    except SplitError as error:
        logger.warning("the configuration was read again: %s", error)
        serving = Serving(os.getpid(), sha256, outcome=str(error))
    try:
        server.state(serving)
    except OSError as error:  # whoever waits for it sees the log; the party continues to serve
        logger.warning("cannot say that the configuration was read again: %s", type(error).__name__)
