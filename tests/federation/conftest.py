"""Federations that end with the test that made them."""

import pytest

from coordinator import connect
from tests.support.organisations import Organisations


@pytest.fixture
def make_organisations(tmp_path):
    """Makes federations whose servers and processes end with the test."""
    made = []

    def make(name="federation", **arguments):
        folder = tmp_path / name
        folder.mkdir(mode=0o700)
        organisations = Organisations(folder, **arguments)
        made.append(organisations)
        return organisations

    yield make
    for organisations in made:
        organisations.__exit__()


@pytest.fixture(scope="session")
def relayed_organisations(tmp_path_factory):
    """Three aligned parties for coordinators that lie; `reference` are the weights of a run that nobody disturbed."""
    training = {"epochs": 1, "batch_size": 96, "remainder": "drop"}
    with Organisations(
        tmp_path_factory.mktemp("relayed"), names=("alice", "bob", "charlie"), training=training
    ) as made:
        made.start_servers()
        made.write_run()
        with connect(made.run_path) as parties:
            parties.align()
            made.run_id = parties.fit().run_id
        made.reference = {name: made.weights(name, made.run_id) for name in made.names}
        yield made
