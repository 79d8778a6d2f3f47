"""Packages that live on gevent, run on hubcore under its name: `python -m tests.interplay.dropin`.

`jobs/` holds a program for each package that runs in a process of its own; `commands.py` drives those that are
commands. `ways.py` has the ways to start them, `run.py` runs them, `page.py` writes the table of docs/gevent.md,
`scan.py` looks for names of gevent that hubcore lacks. It runs in an environment of its own: `make interplay-gevent`.
"""
