"""Tests of the whole shop. A package, so that a fixture can last as long as they do and no longer."""
