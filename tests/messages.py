"""Messages as a party would seal them, and as it never would."""

import numpy as np

from party.pb.tensor_pb2 import CODEC_RAW, DATA_TYPE_FLOAT32, Tensor


def tensor_message(matrix, **changes):
    """A matrix as it is, its values finite or not; fields of the message changed."""
    matrix = np.asarray(matrix, "<f4")
    fields = {"dtype": DATA_TYPE_FLOAT32, "shape": matrix.shape, "codec": CODEC_RAW, "data": matrix.tobytes()}
    return Tensor(**{**fields, **changes}).SerializeToString()
