"""What drives the use cases."""
