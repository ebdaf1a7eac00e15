"""Mechanisms that randomise values at their source, and what they cost."""
