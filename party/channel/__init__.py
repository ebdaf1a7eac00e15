"""Channels: every tensor leaves and enters a party through one."""
