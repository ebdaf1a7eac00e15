"""A command that starts before its parties: it waits for them, and says for whom."""

from party.output.quantities import seconds_text
from tests.support.commands import await_line, start_coordinator

WAIT_SECONDS = 120


def test_command_that_is_started_before_its_parties_waits_and_says_for_whom(make_organisations):
    organisations = make_organisations().start_servers()
    organisations.write_run(connect_timeout_seconds=float(WAIT_SECONDS))
    for name, port in organisations.ports.items():
        organisations.stop_server(name)
        organisations.write_party(name, listen=f"127.0.0.1:{port}")
    running = start_coordinator(organisations, "align")
    try:
        address = f"127.0.0.1:{organisations.ports['alice']}"
        await_line(
            running, f"trying again for up to {seconds_text(WAIT_SECONDS)}: party alice at {address}: cannot be reached"
        )
        organisations.start_servers()
        output, errors = running.communicate(timeout=WAIT_SECONDS)
    finally:
        running.kill()
        running.communicate()
    assert (running.returncode, errors) == (0, ""), errors
    assert "in common" in output
