"""Preparation of data and certificates, and the local demonstration."""
