"""Models that owners wrote: trained across two parties, mixed with built-in ones, and every way to get them wrong."""

import shutil

import numpy as np
import pytest

from coordinator import connect
from party.errors import HandshakeError, ModelError
from tests.support.commands import expect_error, run_party
from tests.support.organisations import FEATURES, SMALL_MODEL

PARTIES = ("alice", "bob")
SOURCE = "deploy/examples/two_tower.py"
TWO_TOWERS = {
    "alice": {"model": {"file": "models.py", "base": "build_user_tower"}},
    "bob": {
        "model": {"file": "models.py", "base": "build_item_tower"},
        "fuse": {"file": "models.py", "fuse": "build_match"},
    },
}
TRAINING = {"epochs": 3, "validation_fraction": 0.167, "optimizer": {"learning_rate": 0.01}}


def federation(make_organisations, request, overrides, training=None):
    organisations = make_organisations(
        names=PARTIES,
        features={name: FEATURES[name] for name in PARTIES},
        training=training or TRAINING,
        overrides=overrides,
    )
    for name in PARTIES:
        shutil.copy(request.config.rootpath / SOURCE, home(organisations, name) / "models.py")
    return organisations


def home(organisations, name):
    """The folder of a party's file, and of the models that it names."""
    return organisations.party_path(name).parent


def test_two_towers_are_trained_saved_and_used(make_organisations, request):
    organisations = federation(make_organisations, request, TWO_TOWERS).start_servers()
    with connect(organisations.write_run(evaluate_dataset="train")) as parties:
        parties.align()
        history = parties.fit()
        first, last = history.history["loss"][0], history.history["loss"][-1]
        assert last < first
        evaluated = parties.evaluate()
        assert evaluated["auc"] > 0.7
        assert parties.predict().rows > 0
        source = home(organisations, "alice") / "models.py"
        source.write_text(source.read_text().replace("TOWER_UNITS = (64, 32)", "TOWER_UNITS = (64, 16)"))
        with pytest.raises(ModelError, match="the file of its own model has changed since the run was trained"):
            parties.evaluate()
    assert any(key.startswith("base/0_table") for key in organisations.weights("alice", history.run_id))


@pytest.mark.parametrize("place", ["code/models.py", "code"])
@pytest.mark.parametrize("bits", [0o002, 0o020], ids=["all", "group"])
def test_a_file_that_others_may_change_is_not_run(make_organisations, place, bits):
    """Its code has the rights of the party."""
    organisations = make_organisations(overrides={"alice": {"model": {"file": "code/models.py", "base": "build"}}})
    marker, path = organisations.folder / "ran", home(organisations, "alice") / place
    source = home(organisations, "alice") / "code" / "models.py"
    source.parent.mkdir(mode=0o700)
    source.write_text(f"open({str(marker)!r}, 'w').close()\n")
    with pytest.raises(ModelError, match="has no function build"):
        organisations.start_server("alice")
    assert marker.exists()
    marker.unlink()
    path.chmod(path.stat().st_mode | bits)
    with pytest.raises(ModelError, match=r"models\.py: can be changed by others than its owner.*run chmod go-w"):
        organisations.start_server("alice")
    assert not marker.exists()


def test_two_runs_are_identical_bit_by_bit(make_organisations, request):
    organisations = federation(make_organisations, request, TWO_TOWERS).start_servers()
    with connect(organisations.write_run()) as parties:
        parties.align()
        one, other = parties.fit(), parties.fit()
    assert one.history == other.history
    for name in PARTIES:
        weights, again = (organisations.weights(name, run.run_id) for run in (one, other))
        for key, array in weights.items():
            np.testing.assert_array_equal(array, again[key])


def test_own_and_built_in_models_mix_where_their_hiddens_fit(make_organisations, request):
    own = {"model": {"file": "mine.py", "base": "build"}}
    built_in = {"model": {"kind": "dnn"}, "fuse": {"kind": "dnn", "units": [8]}}
    organisations = federation(
        make_organisations,
        request,
        {"alice": own, "bob": built_in},
    )
    (home(organisations, "alice") / "mine.py").write_text(
        "import keras\n"
        "def build(features):\n"
        "    income = keras.Input((1,), name='income')\n"
        "    return keras.Model({'income': income}, {'deep': keras.layers.Dense(4)(income)}), {'deep': 'concat'}\n"
    )
    organisations.start_servers()
    with connect(organisations.write_run()) as parties:
        parties.align()
        assert len(parties.fit().history["loss"]) == TRAINING["epochs"]


def test_hiddens_that_do_not_fit_are_refused_with_what_each_party_sends(make_organisations, request):
    overrides = {"alice": TWO_TOWERS["alice"], "bob": {"model": SMALL_MODEL}}
    organisations = federation(make_organisations, request, overrides).start_servers()
    with connect(organisations.write_run()) as parties:
        parties.align()
        with pytest.raises(
            HandshakeError, match=r"alice sends user \(concat\).*for fuse deepfm: deep \(concat\).*bob: deep"
        ):
            parties.fit()
    overrides = {"alice": {"model": {"kind": "dnn"}}, "bob": TWO_TOWERS["bob"]}
    organisations = federation(lambda **all_: make_organisations("other", **all_), request, overrides).start_servers()
    with connect(organisations.write_run()) as parties:
        parties.align()
        with pytest.raises(ModelError, match="bob: the code of its own model raised KeyError"):
            parties.fit()


HEAD = """import keras
def build(features):
    city = keras.Input((1,), dtype='int32', name='city')
"""
TABLE = "    deep = keras.layers.Flatten()(keras.layers.Embedding(features['city'].size, 2)(city))\n"
MODEL = "    return keras.Model({'city': city}, {'deep': deep})"
BROKEN = {
    "no such file": (None, "cannot be read (FileNotFoundError)"),
    "no such function": ("def other(features): pass", "has no function build"),
    "not Python": ("def build(:", "cannot be loaded: SyntaxError at line 1"),
    "raises": ("def build(features):\n    return 1 / 0", "raised ZeroDivisionError at line 2"),
    "returns nothing": ("def build(features): pass", "returns something else"),
    "model alone": (HEAD + TABLE + MODEL, "returns something else"),
    "no model": ("def build(features): return 1, {'deep': 'sum'}", "returns no functional Keras model"),
    "outputs without names": (
        HEAD + TABLE + "    return keras.Model(city, deep), {'deep': 'sum'}",
        "outputs without names",
    ),
    "no aggregation": (HEAD + TABLE + MODEL + ", {}", "does not say how"),
    "unknown aggregation": (HEAD + TABLE + MODEL + ", {'deep': 'mean'}", "does not say how"),
    "unknown input": (
        HEAD.replace("name='city'", "name='town'") + TABLE + MODEL.replace("'city'", "'town'") + ", {'deep': 'sum'}",
        "has an input town that is no feature; expected one of city, income",
    ),
    "wrong dtype": (
        HEAD.replace(", dtype='int32'", "") + "    deep = keras.layers.Dense(2)(city)\n" + MODEL + ", {'deep': 'sum'}",
        "input city does not fit; expected int32 (None, 1)",
    ),
    "rank": (
        HEAD + "    deep = keras.layers.Embedding(9, 2)(city)\n" + MODEL + ", {'deep': 'sum'}",
        "output deep cannot be used",
    ),
    "weight without influence": (
        HEAD
        + TABLE
        + "    deep = deep + keras.ops.stop_gradient(keras.layers.Dense(2)(deep))\n"
        + MODEL
        + ", {'deep': 'sum'}",
        "has no influence on any output",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_contract_is_told_when_the_party_starts(make_organisations, request, case):
    text, message = BROKEN[case]
    organisations = federation(make_organisations, request, {"alice": {"model": {"file": "mine.py", "base": "build"}}})
    if text is not None:
        (home(organisations, "alice") / "mine.py").write_text(text)
    with pytest.raises(ModelError) as refused:
        organisations.start_server("alice")
    assert message in str(refused.value)


def test_party_check_tells_it_in_one_line(make_organisations, request):
    organisations = federation(make_organisations, request, {"alice": {"model": {"file": "gone.py", "base": "build"}}})
    expect_error(run_party("check", "--config", organisations.party_path("alice")), ModelError.exit_code, "gone.py")
