"""Notifications: tells customers by email, SMS and push what happens to their orders, once each.

Nobody calls it for that: it follows the events of others. What it is sent on is behind a port, ``ports.Channel``.
"""
