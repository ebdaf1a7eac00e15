"""Measures network and parties, predicts what schedules and codecs would bring, and recommends one."""
