"""gunicorn for upres behind nginx: `gunicorn --config deploy/gunicorn.conf.py`.

Everything follows from UPRES_SERVICE_... in the environment and from the file that
UPRES_SERVICE_CONFIG names: address and port, threads, the time to finish. One process with
UPRES_SERVICE_WEB_THREADS threads answers, and pictures are enlarged by `upres worker` elsewhere;
for more, and for restarts that nobody notices, run a second gunicorn on another port beside it.
SIGHUP takes new settings from the file; new code needs a restart.
"""

from upres.web.configured import configuration

globals().update(configuration())
