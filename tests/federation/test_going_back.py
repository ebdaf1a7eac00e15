"""A run that goes back as far and as often as it likes brings the same requests, whatever its parties do beside."""

import pytest

from tests.support.codec_cases import FED_BACK, WIDE
from tests.support.relaying import Relay
from tests.support.resuming import checkpoints_of, expect_equal, outcome, restart, run_path, stop_at, train

TRAINING = {
    "epochs": 5,
    "seed": 6,
    "batch_size": 31,
    "validation_fraction": 0.084,
    "early_stopping": {"metric": "val_loss", "minimum_delta": 1e6, "patience": 1},
    "codecs": {"hidden": {**FED_BACK, "kind": "randomk"}, "gradient": FED_BACK},
    "schedule": {"kind": "pipelined", "depth": 2},
    "local_updates": {"steps": 1, "window": 3},
}
EVERY_FOUR = {"every_steps": 4}


class Abandoned(Exception):
    """The coordinator gives up, without a checkpoint."""


def abandon_at(organisations, position, run_id):
    def around(send, party, method, request):
        if method == "Fuse" and request.position == position:
            raise Abandoned
        return send(request)

    with Relay(run_path(organisations, checkpoints=EVERY_FOUR), around) as relay, pytest.raises(Abandoned):
        relay.fit(resume=run_id)


def journals(organisations, run_id):
    folders = {name: organisations.state_path(name) / "runs" / run_id for name in organisations.names}
    return {name: (folder / "requests.journal").read_bytes() for name, folder in folders.items()}


def test_a_run_that_goes_back_again_and_again_brings_the_same_requests(make_organisations):
    """Batches under way, local steps, fed back errors, decisions: over a checkpoint, an older one, the beginning."""
    organisations = make_organisations(training=TRAINING, overrides=WIDE).start_servers()
    history = train(organisations)
    undisturbed, noted = outcome(organisations, history), journals(organisations, history.run_id)
    assert len(history.epoch) == 3, "early stopping did not end the run"
    assert history.best_epoch == 0

    run_id = stop_at(organisations, 16, checkpoints=EVERY_FOUR)
    abandon_at(organisations, 21, run_id)
    begun = journals(organisations, run_id)
    assert all(len(begun[name]) > 0 and noted[name].startswith(begun[name]) for name in organisations.names)
    restart(organisations, *organisations.names)
    checkpoints = checkpoints_of(organisations, "alice", run_id)
    checkpoints[max(checkpoints)].unlink()
    abandon_at(organisations, 18, run_id)
    for path in checkpoints_of(organisations, "alice", run_id).values():
        path.unlink()
    resumed = train(organisations, resume=run_id)
    expect_equal(outcome(organisations, resumed), undisturbed)
    assert journals(organisations, run_id) == noted
