"""The rules of ordering. No framework, no network, no clock."""
