"""Models whose hiddens are wide enough for codecs to shorten, and a lossy codec with error feedback."""

from tests.support.organisations import SMALL_MODEL

WIDE = {"alice": {"model": {**SMALL_MODEL, "units": [8, 24], "embedding_dimension": 16}}}
WIDE["bob"] = {"model": WIDE["alice"]["model"], "fuse": {"kind": "deepfm", "units": [8]}}
FED_BACK = {"kind": "topk", "fraction": 0.1, "values": "int8", "error_feedback": True}
