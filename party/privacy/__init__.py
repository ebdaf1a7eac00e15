"""Mechanisms that randomise values at their source, what they cost, and masks of sums."""
