"""The version of what parties say to each other."""

from __future__ import annotations

# Counts up with every change of the handshake or of a sealed message: parties of two versions refuse each other.
PROTOCOL = 8
