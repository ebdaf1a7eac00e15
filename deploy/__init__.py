"""Preparation of data sets, and the demonstration on one machine."""
