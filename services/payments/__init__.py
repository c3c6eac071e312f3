"""Payments: what customers owe and have paid. Event-sourced, because money needs a history that nobody can rewrite.

``domain`` decides and is pure; ``fraud`` is the language of the fraud rules; ``store`` keeps events and what else there
is in the database; ``bank`` speaks to the bank, by way of the ambassador, a second process in the same pod. The modules
beside them are the use cases and what drives them. ``__main__`` knows all parts, ``ambassador`` those of its process.
"""
