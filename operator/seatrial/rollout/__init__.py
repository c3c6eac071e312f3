"""What to do next: pure functions from an observed world and a clock to a decision. Nothing here reads or writes."""
