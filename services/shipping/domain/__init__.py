"""What decides about shipments: pure functions of values, no database, no clock, no framework."""
