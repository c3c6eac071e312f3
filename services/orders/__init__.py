"""Orders: what a customer asked for, at the prices of that moment. Hexagonal, because its rules are what grows.

``domain`` holds the rules and imports nothing but the standard library, ``ports`` say what the rules need from
outside, ``application`` runs a use case, ``adapters`` fill the ports, ``entrypoints`` drive the use cases: requests,
messages, a command line, schedules. ``composition`` puts them together, and ``__main__`` runs what comes of it.
"""
