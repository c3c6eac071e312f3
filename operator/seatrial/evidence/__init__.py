"""The only code that talks to Envoy and istiod."""
