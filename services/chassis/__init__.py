"""What every service of the shop shares: settings, errors, health, telemetry, calls to others, a graceful end.

The chassis knows HTTP and the mesh, and no business. It does not retry: the mesh owns retries, and two layers that both
retry multiply each other's load.
"""
