"""What decides about stock: pure functions of values, no database, no clock, no framework."""
