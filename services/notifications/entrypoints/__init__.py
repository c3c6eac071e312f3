"""How notifications are driven: by HTTP and by events."""
