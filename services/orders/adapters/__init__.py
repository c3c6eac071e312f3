"""What fills the ports: the catalog over HTTP, signed ids, memory."""
