"""What fills the ports: other services over HTTP, a database or the memory of the process, tasks of the event loop."""
