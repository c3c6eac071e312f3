"""What ordering needs from outside, as small classes that an adapter fills and a test can.

``storage`` is where orders and their sagas are kept, ``services`` is whom the shop asks.
"""
