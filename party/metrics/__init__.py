"""Figures over many rows: how they are computed, and how they are rounded before they are released."""
