"""A Python that has loaded torch, transformers and lm-eval once, of which the jobs of a smoke build are forked.

Loading them is half of what such a build takes, since its models are of seconds. ``with warm() as first:`` starts it and gives
a folder to put first on PATH: the ``python`` in there hands a job's ``python -m scripts...``, with its folder, its environment
and its open files, to a fork of it, and is any other Python to everything else. What a job computes is the same; that jobs
start from nothing is what figure 5 at laptop scale and the Slurm tests show.
"""

import json
import os
import runpy
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLIENT = """#!{python} -IS
import os, sys
if sys.argv[1:2] == ["-m"] and sys.argv[2].startswith("scripts."):
    import array, json, signal, socket
    server = socket.socket(socket.AF_UNIX)
    server.connect({address!r})
    asked = json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode()
    files = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))]
    server.sendmsg([len(asked).to_bytes(8, "big")], files)
    server.sendall(asked)
    job = int.from_bytes(server.recv(8, socket.MSG_WAITALL), "big")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, lambda number, _: os.kill(job, number))
    sys.exit(int.from_bytes(server.recv(8, socket.MSG_WAITALL) or b"\\xff", "big"))
os.execv({python!r}, [{python!r}, *sys.argv[1:]])
"""


@contextmanager
def warm() -> Iterator[Path]:
    """The folder to put first on PATH while the warm Python lives; temporary, since a socket's path must be short."""
    with tempfile.TemporaryDirectory(prefix="warm-") as name:
        yield from _warm(Path(name))


def _warm(folder: Path) -> Iterator[Path]:
    python, address = folder / "python", str(folder / "socket")
    python.write_text(CLIENT.format(python=sys.executable, address=address), encoding="utf-8")
    python.chmod(python.stat().st_mode | stat.S_IEXEC)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen([sys.executable, "-P", __file__, address], cwd="/", env=environment)
    while not Path(address).exists():
        if server.poll() is not None:
            raise RuntimeError(f"the warm Python ended with {server.returncode} before it served")
        time.sleep(0.1)
    try:
        yield folder
    finally:
        server.terminate()
        server.wait()


def _job(arguments: list[str], folder: str, environment: dict[str, str], files: list[int]) -> int:
    """Run a module as ``python -m`` does, in this process; returns the exit status."""
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path.insert(0, folder)
    sys.argv = arguments
    try:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _serve_one(client: socket.socket) -> None:
    """Fork the job that a client asks for, tell its number, wait for it, tell its status; kill it if the client is killed."""
    length, files, _, _ = socket.recv_fds(client, 8, 3)
    asked = client.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL)
    job = os.fork()
    if job == 0:
        client.close()
        status = _job(*json.loads(asked), files)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)
    for file in files:
        os.close(file)
    client.sendall(job.to_bytes(8, "big"))
    ended = os.pidfd_open(job)
    if ended not in select.select([ended, client], [], [])[0]:
        os.kill(job, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(job, 0)[1])
    client.sendall((status if status >= 0 else 128 - status).to_bytes(8, "big"))


def main(address: str) -> None:
    """Load what is heavy, then serve until terminated."""
    import lm_eval.evaluator  # noqa: F401
    import lm_eval.models.utils  # noqa: F401
    import pandas  # noqa: F401
    import torch  # noqa: F401
    from transformers import GPTNeoXForCausalLM, LlamaForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM  # noqa: F401

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address + ".new")
    listener.listen(16)
    os.rename(address + ".new", address)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        client, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _serve_one(client)
            os._exit(0)
        client.close()


if __name__ == "__main__":
    main(sys.argv[1])
