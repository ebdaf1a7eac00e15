"""Strictly validated configuration files: unknown keys are errors."""
