"""The only code that asks istiod and Envoy: what the callers' proxies carry, and what is under way at them."""
