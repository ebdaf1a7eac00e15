"""Everything that one organisation runs, and audits, to take part in split training."""

__version__ = "0.6.0"
