"""Supervisor of stand-in programs: ``python -m tests.dags.standalone.trial <folder> <port> [fail]``.

Each part notes in ``<folder>/notes`` that it started. The API answers after a while; the scheduler ignores
SIGTERM and has a task in a session of its own, as Airflow's stages have.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from components.contract.errors import StormsightError
from stormsight_dags.standalone.__main__ import answers, say
from stormsight_dags.standalone.supervisor import Part, Supervisor

NOTE = """
import os, pathlib, signal, subprocess, sys, time
def note(word):
    with open('notes', 'a') as notes:
        notes.write(f'{word} {os.getpid()}\\n')
"""
API = """
import http.server
note('api-starts')
time.sleep(0.5)
server = http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler)
note('api-answers')
server.serve_forever()
"""
SCHEDULER = """
signal.signal(signal.SIGTERM, lambda *_: note('scheduler-asked'))
sleeper = [sys.executable, '-c', 'import time; time.sleep(600)']
task = subprocess.Popen(sleeper, start_new_session=True)
note('scheduler-starts')
with open('notes', 'a') as notes:
    notes.write(f'task {task.pid}\\n')
while True:
    time.sleep(0.1)
"""
PLAIN = """
note('triggerer-starts')
time.sleep(0.3 if sys.argv[2:] else 600)
print('the reason')
sys.exit(3)
"""


def part(name: str, program: str, *arguments: str) -> Part:
    return Part(name, (sys.executable, "-c", NOTE + program, *arguments))


def main() -> int:
    folder, port, *failing = sys.argv[1:]
    trial = Supervisor(
        prepare=[part("database", "note('database')")],
        parts=[
            part("api", API, port),
            part("scheduler", SCHEDULER),
            part("triggerer", PLAIN, port, *failing),
        ],
        answers=lambda: answers(f"http://127.0.0.1:{port}/notes"),
        environment=os.environ,
        directory=Path(folder),
        logs=Path(folder, "state", "parts"),
        say=say,
    )
    try:
        trial.run()
    except StormsightError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    os._exit(main())
