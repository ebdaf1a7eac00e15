"""Training of models: passes, compiled calls and updates."""
