"""The HTTP side of the service: page, interface, operations."""
