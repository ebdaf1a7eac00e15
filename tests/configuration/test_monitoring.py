"""Ports without a login stay on this machine unless their owner says otherwise."""

import pytest

from party.configuration.monitoring import MlflowSection, MonitoringPort, port_warnings
from party.configuration.strict import validate
from party.errors import ConfigurationError

LOOPBACK = ["127.0.0.1:9464", "127.8.8.8:0", "localhost:9464", "'[::1]:9464'".strip("'")]
ELSEWHERE = ["0.0.0.0:9464", "[::]:9464", "192.0.2.1:9464", "alice.example.com:9464", "127.0.0.1.example.com:9464"]


@pytest.mark.parametrize("listen", LOOPBACK)
def test_a_loopback_address_needs_no_leave(listen):
    section = validate(MonitoringPort, {"listen": listen}, "file")
    assert port_warnings(section, section) == ()


@pytest.mark.parametrize("listen", ELSEWHERE)
def test_another_address_needs_the_owners_leave_and_is_warned_of(listen):
    with pytest.raises(ConfigurationError, match=r"must be a loopback address.*beyond_loopback: true"):
        validate(MonitoringPort, {"listen": listen}, "file")
    section = validate(MonitoringPort, {"listen": listen, "beyond_loopback": True}, "file")
    assert [text.partition(":")[0] for text in port_warnings(section, section)] == [
        "health.beyond_loopback",
        "prometheus.beyond_loopback",
    ]


@pytest.mark.parametrize("content", [{}, {"listen": 9464}, {"listen": "9464"}, {"listen": "http://127.0.0.1:9464"}])
def test_what_is_no_address_is_refused(content):
    with pytest.raises(ConfigurationError, match="listen"):
        validate(MonitoringPort, content, "file")


def test_the_address_of_a_tracking_server_is_not_shown():
    assert "secret" not in repr(MlflowSection(tracking_uri="https://user:secret@example.com"))
