"""How paid orders get to their buyers: which carrier takes a parcel, where it is, and what when no carrier does.

``domain`` decides and knows no framework. ``carriers`` is the world outside: simulated, with guards around each carrier
so that none can slow the others.
"""
