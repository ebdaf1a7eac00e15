"""Measures network and parties, predicts the speed of schedules and codecs, and recommends one of each."""
