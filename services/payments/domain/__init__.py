"""The rules of money. No framework, no network, no clock."""
