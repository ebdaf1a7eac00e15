"""What a party's process does for who watches it, before it serves and as it stops."""

import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from party.configuration.party import load_party_configuration
from party.errors import ConfigurationError, InstallationError
from party.monitoring.logs import LogPlace
from party.transport import serving
from party.transport.server import HANDLER_NAME
from party.transport.watched import WatchedParty
from tests.support.organisations import Organisations

ANSWER_SECONDS = 30


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    return Organisations(tmp_path_factory.mktemp("watched"))


def configuration(organisations, name="bob", **changes):
    return load_party_configuration(organisations.write_party(name, **changes))


@pytest.mark.parametrize(
    ("library", "key", "option"),
    [("prometheus_client", "prometheus", {"listen": "127.0.0.1:0"}), ("tensorboardX", "tensorboard", True)],
)
def test_an_option_without_its_library_is_refused_before_data_are_read(
    monkeypatch, organisations, library, key, option
):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InstallationError, match=rf"{key}: .*splitrain\[{key}\]"):
        WatchedParty(configuration(organisations, **{key: option}))


def test_a_feature_party_has_no_metrics_for_tensorboard(organisations):
    with pytest.raises(ConfigurationError, match="tensorboard belongs to the label party only"):
        configuration(organisations, "alice", tensorboard=True)


def test_nothing_listens_unless_it_is_configured(organisations, caplog):
    caplog.set_level("INFO")
    without = configuration(organisations)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with WatchedParty(without) as watched:
        watched.ready()
        watched.show_metrics(lambda: None, lambda: ())
        assert len(list(Path("/proc/self/fd").iterdir())) == before
        watched.stopping()
    assert caplog.messages == []


@contextmanager
def a_call_of_another_party():
    """A thread that still computes as `serve` returns: whether its process ends then is the command's decision."""
    ends = threading.Event()
    thread = threading.Thread(target=ends.wait, name=HANDLER_NAME)
    thread.start()
    yield
    ends.set()
    thread.join()


def test_probes_see_a_party_start_serve_and_stop(monkeypatch, organisations, caplog):
    """Asked in the middle of each: as its server is made, as it waits for a signal, as the server stops."""
    caplog.set_level("INFO")
    seen = {}

    def ask(moment):
        port = next(line.rpartition(" ")[2] for line in caplog.messages if line.startswith("health is answered"))
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = HealthStub(channel)
            asked = {
                name: stub.Check(HealthCheckRequest(service=name), timeout=ANSWER_SECONDS) for name in ("live", "ready")
            }
        seen[moment] = {name for name, reply in asked.items() if reply.status == HealthCheckResponse.SERVING}

    class AskedServer(serving.PartyServer):
        def __init__(self, configuration):
            ask("starting")
            super().__init__(configuration)

        def stop(self):
            ask("stopping")
            super().stop()

    class OneSignal:
        def __init__(self, *signals):
            pass

        def wait(self):
            ask("serving")
            return signal.SIGTERM

    monkeypatch.setattr(serving, "PartyServer", AskedServer)
    monkeypatch.setattr(serving, "ReceivedSignals", OneSignal)
    path = organisations.write_party("bob", health={"listen": "127.0.0.1:0"})
    lines = []
    with a_call_of_another_party():
        serving.serve(path, load_party_configuration(path), lines.append, LogPlace())
    assert seen == {"starting": {"live"}, "serving": {"live", "ready"}, "stopping": {"live"}}
    assert len(lines) == 1
