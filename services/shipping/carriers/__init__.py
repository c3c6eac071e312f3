"""Carriers: what shipping asks of them, the guards around each, and simulated ones to sail with."""
