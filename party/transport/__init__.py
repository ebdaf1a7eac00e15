"""The gRPC server of a party: decodes requests, checks the caller, calls the session and encodes replies."""
