"""What is in the warehouses: how much of it is free, what is held for an order, and what has left.

``domain`` decides and knows no framework. ``orders_language`` is the only module that knows how orders talks.
"""
