"""Audit: attacks on what a party truly receives, to measure what a run gives away."""
