"""The port for Prometheus, read and misused over real sockets."""

import re
import socket
import sys
import threading
import urllib.error
import urllib.request

import pytest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from party.configuration.monitoring import MonitoringPort
from party.errors import ConfigurationError, InstallationError
from party.monitoring.libraries import require_library
from party.monitoring.metrics_port import MetricsPort, phase_metric
from tests.support.scraping import names, scrape, value

READ_SECONDS = 30


class Readings(Collector):
    """One gauge, which says how often it was read, and one of phases."""

    def __init__(self):
        self.count = 0

    def collect(self):
        self.count += 1
        yield GaugeMetricFamily("splitrain_reads", "How often it was read.", self.count)
        yield phase_metric("mood", "A mood.", ("good", "bad"), "bad")


@pytest.fixture
def port():
    opened = MetricsPort(MonitoringPort(listen="127.0.0.1:0"), [Readings()])
    yield opened
    opened.close()


def test_metrics_are_computed_when_they_are_read(port):
    assert value(scrape(port.port), "splitrain_reads") == 1
    page = scrape(port.port)
    assert value(page, "splitrain_reads") == 2
    assert value(page, "splitrain_mood", phase="bad") == 1
    assert value(page, "splitrain_mood", phase="good") == 0
    assert "splitrain_process_resident_memory_bytes" in names(page)
    assert not [name for name in names(page) if not name.startswith("splitrain_")]


def test_callers_that_say_nothing_hold_one_connection_and_no_thread(port):
    """Also with a request that never ends, after which the port answers others."""
    before = threading.active_count()
    silent = [socket.create_connection(("127.0.0.1", port.port)) for _ in range(2)]
    silent[0].sendall(b"GET /metrics HTTP/1.1\r\nHost:")
    assert value(scrape(port.port), "splitrain_reads") == 1
    assert threading.active_count() <= before
    for one in silent:
        one.close()


def test_a_caller_that_sends_slowly_keeps_neither_others_from_reading_nor_the_port_open():
    """A byte now and then: the request never ends, and never waits for long."""
    opened = MetricsPort(MonitoringPort(listen="127.0.0.1:0"), [Readings()])
    slow = [socket.create_connection(("127.0.0.1", opened.port)) for _ in range(2)]
    begun, ended = threading.Event(), [threading.Event(), threading.Event()]

    def drip(caller, end):
        caller.sendall(b"GET /metrics HTTP/1.1\r\n")
        caller.settimeout(0.2)
        begun.set()
        for _ in range(100):
            try:
                caller.sendall(b"x")
                if not caller.recv(1):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            return
        end.set()

    callers = [threading.Thread(target=drip, args=pair, daemon=True) for pair in zip(slow, ended, strict=True)]
    callers[0].start()
    begun.wait()
    assert value(scrape(opened.port), "splitrain_reads") == 1
    callers[1].start()
    closing = threading.Thread(target=opened.close, daemon=True)
    closing.start()
    closing.join(READ_SECONDS)
    assert not closing.is_alive()
    for caller in callers:
        caller.join(READ_SECONDS)
    assert all(end.is_set() for end in ended)
    for one in slow:
        one.close()


@pytest.mark.parametrize("request_text", [b"\x16\x03\x01\x00", b"GET /metrics\r\n\r\n", b"PUT / HTTP/1.1\r\n\r\n"])
def test_other_requests_break_nothing(port, request_text, capfd):
    with socket.create_connection(("127.0.0.1", port.port), READ_SECONDS) as caller:
        caller.sendall(request_text)
        caller.shutdown(socket.SHUT_WR)
        while caller.recv(4096):
            pass
    assert value(scrape(port.port), "splitrain_reads") >= 1
    assert capfd.readouterr().err == ""


def test_a_port_that_is_taken_is_named(port):
    with pytest.raises(ConfigurationError, match=f"prometheus.listen: cannot listen on 127.0.0.1:{port.port}"):
        MetricsPort(MonitoringPort(listen=f"127.0.0.1:{port.port}"), [])


def test_a_closed_port_answers_no_more():
    opened = MetricsPort(MonitoringPort(listen="127.0.0.1:0"), [])
    opened.close()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{opened.port}/metrics", timeout=READ_SECONDS)


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_ipv6_address_stands_in_brackets():
    opened = MetricsPort(MonitoringPort(listen="[::1]:0"), [Readings()])
    with urllib.request.urlopen(f"http://[::1]:{opened.port}/metrics", timeout=READ_SECONDS) as reply:
        assert re.search(r"^splitrain_reads 1.0$", reply.read().decode(), re.MULTILINE)
    opened.close()


def test_an_option_without_its_library_names_the_extra(monkeypatch):
    require_library("prometheus")
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(InstallationError, match=r"prometheus: .* install splitrain\[prometheus\]"):
        require_library("prometheus")
