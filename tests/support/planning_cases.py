"""Synthetic measurements for the laws of predictions."""

from hypothesis import strategies as st

from coordinator.planning.link import Link
from coordinator.planning.measurements import CodecMeasurement, Measurements, PassTimes, RunSize
from party.configuration.candidates import CANDIDATE_CODECS
from party.configuration.run import CodecsSection, ScheduleSection

FLOAT32, FLOAT16, INT8, TOPK = (CodecsSection(hidden=one, gradient=one) for one in CANDIDATE_CODECS)
SYNCHRONOUS = ScheduleSection()
SHARES = (1.0, 0.5, 0.3, 0.1)  # of the bytes, by candidate
SIZE = RunSize(
    training_rows=8000,
    held_out_rows=500,
    batch_size=100,
    evaluation_batch_size=250,
    epoch_steps=80,
    steps=200,
    epochs=3,
)


def pipelined(depth):
    return ScheduleSection(kind="pipelined", depth=depth)


def measurements(
    round_trip_seconds=0.05,
    bandwidth=1e6,
    computing_seconds=0.02,
    bottleneck_seconds=0.015,
    message_bytes=1e4,
    codec_seconds=0.0,
    features=("alice",),
    size=SIZE,
    first_seconds=0.0,
    held_out_seconds=0.0,
):
    """Returns measurements of a run whose synchronous step takes exactly as long as its parts together.

    Args:
        round_trip_seconds: of every link.
        bandwidth: of every link and direction, bytes per second.
        computing_seconds: of all parties in a synchronous step.
        bottleneck_seconds: of the slowest party in a pipelined one.
        message_bytes: size of a feature party's hiddens, or gradients, without compression.
        codec_seconds: of encoding, and of decoding, by any codec but float32.
        features: names of feature parties.
        size: of the run.
        first_seconds: extra time of the first epoch.
        held_out_seconds: after an epoch.
    """
    names = (*features, "bob")
    costs = {
        name: {
            codec: CodecMeasurement(
                message_bytes * share * (len(features) if name == "bob" else 1),
                codec_seconds if share < 1 else 0.0,
                codec_seconds if share < 1 else 0.0,
            )
            for codec, share in zip(CANDIDATE_CODECS, SHARES, strict=True)
        }
        for name in names
    }
    hops_seconds = 2 * (1 + len(features)) * message_bytes / bandwidth
    activities = {name: {"fuse" if name == "bob" else "base": computing_seconds / 2} for name in names}

    def times(depth, step_seconds):
        return PassTimes(
            depth=depth,
            codecs=FLOAT32,
            step_seconds=step_seconds,
            held_out_seconds=held_out_seconds,
            held_out_batches=2,
            held_out_batch_seconds=0.01,
            first_seconds=first_seconds,
            activity_seconds=activities,
        )

    loop_seconds = 2 * round_trip_seconds + hops_seconds + computing_seconds
    slowest_seconds = max(bottleneck_seconds, len(features) * message_bytes / bandwidth)
    latency_seconds = max(loop_seconds, slowest_seconds)
    return Measurements(
        label_party="bob",
        links={name: Link(round_trip_seconds, bandwidth, bandwidth) for name in names},
        costs=costs,
        synchronous=times(1, loop_seconds),
        two_under_way=times(2, (latency_seconds + slowest_seconds**2 / latency_seconds) / 2),
        full_pipe=times(16, bottleneck_seconds),
        overhead_bytes=200.0,
        held_out_row_bytes=40.0,
        size=size,
    )


@st.composite
def networks(draw):
    """Arguments of `measurements`: the slowest party computes no longer than all of them together."""
    computing_seconds = draw(st.floats(1e-3, 0.2))
    return {
        "round_trip_seconds": draw(st.floats(0, 0.5)),
        "bandwidth": draw(st.floats(1e4, 1e9)),
        "computing_seconds": computing_seconds,
        "bottleneck_seconds": computing_seconds * draw(st.floats(0.1, 1)),
        "message_bytes": draw(st.floats(1e2, 1e6)),
        "codec_seconds": draw(st.floats(0, 0.01)),
        "features": draw(st.sampled_from([("alice",), ("alice", "charlie")])),
    }
