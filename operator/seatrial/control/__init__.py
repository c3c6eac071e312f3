"""Watches, queue, reconciler and Lease: what turns decisions into a cluster."""
