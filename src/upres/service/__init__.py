"""The service: jobs accepted, worked on, looked after; its processes and its settings."""
