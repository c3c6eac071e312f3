"""What payments keeps: events, which are the truth, and beside them what isn't about balances or can be made anew."""
