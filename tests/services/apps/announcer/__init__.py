"""A service that has an outbox and no business: for tests of how events leave."""
