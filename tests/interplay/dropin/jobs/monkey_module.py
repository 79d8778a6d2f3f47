"""python -m gevent.monkey: runs a script and a module patched, and leaves out what --no-NAME says."""

import os
import subprocess
import sys
import tempfile

from common import run

SHOW = "import sys, socket, time\nprint(socket.socket.__module__, time.sleep.__module__, *sys.argv[1:])\n"


def main():
    own = "gevent" if os.environ.get("JOB_REAL") else "hubcore"
    launch = [sys.executable, "-m", "gevent.monkey"]
    if os.environ.get("JOB_WAY") == "run":
        launch = [sys.executable, "-m", "hubcore", "run", "--as-gevent", "-m", "gevent.monkey"]
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "show.py"), "w") as file:
            file.write(SHOW)
        env = os.environ | {"PYTHONPATH": folder + os.pathsep + os.environ.get("PYTHONPATH", "")}

        def said(*arguments):
            done = subprocess.run(
                [*launch, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            return done.stdout.split()

        for arguments in (["show.py", "a"], ["--module", "show", "a"]):
            socket, sleep, last = said(*arguments)
            assert socket.startswith(own), socket
            assert sleep.startswith(own), sleep
            assert last == "a"
        assert said("--no-time", "show.py")[1] == "time"


run(main)
