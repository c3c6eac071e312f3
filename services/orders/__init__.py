"""Orders: what a customer asked for, at the prices of that moment. Hexagonal, because its rules are what will grow.

``domain`` holds the rules and imports nothing but the standard library, ``ports`` say what the rules need from
outside, ``application`` runs a use case, ``adapters`` fill the ports, ``entrypoints`` drive the use cases.
``__main__`` is the one place that knows all of them.

Where an order lives, for as long as there is no database: in its own id. See ``adapters.signed_references``.
"""
