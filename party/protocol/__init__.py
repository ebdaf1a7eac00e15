"""State machines of a session: no gRPC, no TensorFlow."""
