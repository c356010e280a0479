"""The share's sidecar: compute shared out to gateways over HTTP, as raw ASGI."""
