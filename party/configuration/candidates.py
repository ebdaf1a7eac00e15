"""The codecs that a planner may recommend: those that cost little time and little accuracy for what they save."""

from __future__ import annotations

from party.configuration.run import CodecSection

CANDIDATE_CODECS = (
    CodecSection(kind="float32"),
    CodecSection(kind="float16"),
    CodecSection(kind="int8"),
    CodecSection(kind="topk", fraction=0.1, values="int8"),
)
