"""The service as operators run it: nginx, gunicorn, workers of its own, by the files in deploy/."""
