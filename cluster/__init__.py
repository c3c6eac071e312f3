"""How a cluster comes to be on a machine: Docker, images pulled or built, kind, Istio, and our own releases on it."""
