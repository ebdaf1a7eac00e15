"""`kill -9` at any instant, of any process: the run ends with the bits of a run that nobody disturbed."""

import pytest
from chaos_run import LARGE_TABLES, ChaosRun, expect_same

SEEDS = (1, 2, 3, 4, 5, 6)
KILLS = 6
INSIDE = ("checkpoint", "commit", "checkpoint")


@pytest.fixture(scope="module")
def chaos(tmp_path_factory):
    with ChaosRun(tmp_path_factory.mktemp("chaos")) as run:
        run.reference = run.outcome(run.train())
        yield run


@pytest.fixture(scope="module")
def all_kills():
    return []


@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_survives_kills(chaos, all_kills, seed):
    chaos.kills = []
    run_id = chaos.train_through(seed, KILLS, INSIDE)
    print(f"seed {seed}: {[(victim, inside) for victim, inside, _ in chaos.kills]}")
    all_kills += chaos.kills
    assert len(chaos.kills) == KILLS
    expect_same(chaos.outcome(run_id), chaos.reference)


@pytest.mark.timeout(400)
def test_a_run_with_masked_sums_survives_kills(tmp_path):
    with ChaosRun(tmp_path, {"secure_aggregation": True}) as chaos:
        reference = chaos.outcome(chaos.train())
        run_id = chaos.train_through(SEEDS[0], KILLS, INSIDE)
        assert len(chaos.kills) == KILLS
        expect_same(chaos.outcome(run_id), reference)


@pytest.mark.timeout(400)
def test_a_run_with_joined_tables_survives_kills(tmp_path):
    training = {"party_dropout": {"charlie": 0.25}, "schedule": {"kind": "pipelined", "depth": 2}}
    with ChaosRun(tmp_path, training, joined=True) as chaos:
        reference = chaos.outcome(chaos.train())
        run_id = chaos.train_through(SEEDS[1], KILLS, INSIDE)
        assert len(chaos.kills) == KILLS
        expect_same(chaos.outcome(run_id), reference)


@pytest.mark.timeout(400)
def test_a_run_with_large_tables_survives_kills(tmp_path):
    """Checkpoints of changed rows; `tests/runtime/test_table_files.py` kills parties in those of whole tables too."""
    with ChaosRun(tmp_path, {"optimizer": {"name": "lazy_adam"}}, overrides=LARGE_TABLES) as chaos:
        reference = chaos.outcome(chaos.train())
        run_id = chaos.train_through(SEEDS[2], KILLS, INSIDE)
        assert len(chaos.kills) == KILLS
        expect_same(chaos.outcome(run_id), reference)


def test_the_kills_were_many_and_hit_every_process_also_inside_of_checkpoints_and_commits(all_kills):
    assert len(all_kills) >= 30
    assert {victim for victim, _, _ in all_kills} == {"alice", "bob", "charlie", "coordinator"}
    torn = [kill for kill in all_kills if kill[2]["torn"]]
    uncommitted = [kill for kill in all_kills if kill[2]["uncommitted"]]
    print(f"{len(all_kills)} kills, {len(torn)} left a torn file, {len(uncommitted)} an uncommitted checkpoint")
    assert torn
    assert uncommitted
