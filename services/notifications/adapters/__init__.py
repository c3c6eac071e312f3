"""Channels and sinks, by which messages leave, and the tables in which notifications keep what they know."""
