"""Everything about the bank: what we say to it in our words, its own words, and the way there.

``messages`` are our words. ``legacy`` is the anti-corruption layer: the one module that knows the bank's. ``client``
asks the ambassador, from the service; ``connection`` asks the bank, from the ambassador.
"""
