"""Use cases: each reads what the domain needs through ports, lets the domain decide, and stores what came of it."""
