"""The door: decisions over HTTP, as raw ASGI."""
