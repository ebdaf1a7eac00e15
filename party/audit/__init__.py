"""Audit: what a peer can find out from what it receives."""
