"""Attacks: each reads what one party truly receives, and says what the same knowledge is worth without a run."""
