"""gRPC: decode, check policy, call the protocol, encode."""
