"""Messages to seal, valid and invalid ones."""

import numpy as np

from party.pb.tensor_pb2 import CODEC_RAW, DATA_TYPE_FLOAT32, Tensor


def tensor_message(matrix, **changes):
    """Returns the message of a matrix, with finite values or not, and with some fields changed."""
    matrix = np.asarray(matrix, "<f4")
    fields = {"dtype": DATA_TYPE_FLOAT32, "shape": matrix.shape, "codec": CODEC_RAW, "data": matrix.tobytes()}
    return Tensor(**{**fields, **changes}).SerializeToString()
