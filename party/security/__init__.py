"""Identity, key agreement, sealing, secret randomness and protected files."""
