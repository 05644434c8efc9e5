"""Runs programs that models wrote, in a sandbox, and says which ran to their end.

`run_programs` takes programs (with their tests) and gives an Outcome for each. One sandbox serves a batch: a process without
environment that shuts itself in once and forks for every program. Two walls are known:

- `namespaces`: user, process, mount, network and IPC namespaces; the program sees an empty network, no process but its own, an
  empty temporary folder, and read-only the Python installation and the system's libraries. Where we are root, it is not.
- `landlock`, where the kernel or a container forbids namespaces: Landlock (kernel 6.2 or newer) leaves the same files, and a
  system call filter leaves no socket, no fork, no signal to others and no change of any file's mode or owner.

Both come with limits of time, memory, file size and processes, with no_new_privs and with a filter of system calls that have no
business here. `self_test` attacks the sandbox before its first use and raises `Unsafe`, naming the boundary that did not hold;
where neither wall can be had, nothing is run.

A program passed when it reached its end without an exception. What a program says of itself does not count: the verdict is a
random number that is told to nobody, written by a hook that answers only to the line after the program. This keeps out programs
that leave early, write to every open file, or look through frames and objects for the number. Tests run in the program's own
interpreter, as in Hugging Face's code_eval, so an object that claims to equal everything still passes them; and an
attack on the interpreter's memory could reach the number, though not leave the sandbox.
"""

import contextlib
import ctypes
import gc
import json
import math
import os
import platform
import resource
import select
import signal
import struct
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from types import CodeType
from typing import NamedTuple, NoReturn

WALLS = ("namespaces", "landlock")
ENVIRONMENT = {"HOME": "/tmp", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PATH": ""}
PATIENCE = 4  # wall time of a program over its CPU time, so that a busy machine fails none
START = 60.0  # seconds that a sandbox may take to start, and to answer beyond a program's time


class Unsafe(Exception):
    """The sandbox cannot be built here, or one of its walls did not hold; nothing may be run."""


class Outcome(NamedTuple):
    """Whether a program reached its end without an exception, and if not, why (the exception, a signal, ``time``)."""

    passed: bool
    reason: str


# --- outside: start a sandbox, hand it programs, read outcomes --------------------------------------------------------------


def run_programs(
    programs: list[str],
    seconds: float = 3.0,
    *,
    memory: int = 1 << 30,
    processes: int = 8,
    wall: str | None = None,
    without: frozenset[str] = frozenset(),
) -> list[Outcome]:
    """Run programs one after another, equal ones once; outcomes in the order of the programs.

    Args:
        programs: Python source, the tests included.
        seconds: CPU time of each process of a program, counted in whole seconds; wall time is PATIENCE times as much.
        memory: bytes of address space of each process.
        processes: processes and threads of a program together; with the wall ``landlock`` a program has one process.
        wall: ``namespaces`` or ``landlock``; None takes the first that can be had.
        without: boundaries to leave out, so that tests can show that `self_test` notices; see BOUNDARIES.

    Raises:
        Unsafe: when no sandbox can be built here.
    """
    options = {"seconds": seconds, "memory": memory, "processes": processes, "without": sorted(without)}
    todo, found = list(dict.fromkeys(programs)), {}
    while len(found) < len(todo):
        before = len(found)
        with tempfile.TemporaryDirectory(prefix="sandbox-") as folder, _sandbox({**options, "folder": folder}, wall) as ask:
            for program in todo[len(found) :]:
                outcome = ask(program)
                found[program] = outcome or Outcome(False, "the sandbox ended with it")
                if outcome is None:
                    break
        if len(found) == before:
            raise Unsafe("the sandbox ends before it runs anything")
    return [found[program] for program in programs]


@contextlib.contextmanager
def _sandbox(options: dict, wall: str | None) -> Iterator[Callable[[str], Outcome | None]]:
    """A started sandbox as a function from program to outcome; None when the sandbox has died or hangs."""
    if sys.platform != "linux":
        raise Unsafe(f"programs of models are run on Linux only, not on {sys.platform}; leave such tasks out here")
    command = [sys.executable, "-I", "-X", "utf8", __file__]
    environment = ENVIRONMENT | {k: os.environ[k] for k in ("LD_LIBRARY_PATH",) if k in os.environ}
    refusals = []
    for each in [wall] if wall else WALLS:
        process = subprocess.Popen(
            [*command, json.dumps({**options, "wall": each})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
        try:
            answer = _line(process, START)
            if answer is None or "unsafe" in answer:
                refusals.append(f"{each}: {(answer or {}).get('unsafe', 'the sandbox does not start')}")
                continue

            def ask(program: str, process: subprocess.Popen = process) -> Outcome | None:
                text = program.encode("utf-8", "surrogatepass")
                try:
                    process.stdin.write(struct.pack("<Q", len(text)) + text)
                    process.stdin.flush()
                except OSError:
                    return None
                answer = _line(process, PATIENCE * options["seconds"] + START)
                return answer and Outcome(answer["passed"], answer["reason"])

            yield ask
            return
        finally:
            process.kill()
            process.stdout.close()
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.wait()
    raise Unsafe(f"programs of models cannot be shut in on this machine ({'; '.join(refusals)}); leave such tasks out here")


def _line(process: subprocess.Popen, seconds: float) -> dict | None:
    """The next line of a sandbox, as JSON; None when it ends or does not answer in time."""
    end, text = time.monotonic() + seconds, b""
    while not text.endswith(b"\n"):
        if not select.select([process.stdout], [], [], max(0.0, end - time.monotonic()))[0]:
            return None
        piece = os.read(process.stdout.fileno(), 4096)
        if not piece:
            return None
        text += piece
    return json.loads(text)


# --- outside: attack the sandbox before it is used --------------------------------------------------------------------------

# Each attack ends normally when it was fended off; what it meets instead it says by an exception. {outside} and the others are
# filled in by `self_test`.
ATTACKS = {
    "python": "import collections, json, math, re, tempfile\nopen('own', 'w').write('a')\nassert open('own').read() == 'a'",
    "files": """
import os, sys
for path in {secrets!r}:
    try: os.close(os.open(path, os.O_RDONLY))
    except OSError: continue
    sys.exit(path)
for folder in ({outside!r}, '/', '/usr/lib', sys.prefix):
    try: os.close(os.open(folder + '/planted-by-a-self-test', os.O_WRONLY | os.O_CREAT))
    except OSError: continue
    sys.exit(folder)
known = {environment!r}
if set(os.environ) - known: sys.exit('environment')
""",
    "network": """
import socket, sys
for family, address in ((socket.AF_INET, ('127.0.0.1', {port})), (socket.AF_UNIX, {name!r})):
    try: socket.socket(family, socket.SOCK_STREAM).connect(address)
    except OSError: continue
    sys.exit(str(address))
""",
    "processes": """
import os, sys, time
for i in range(100):
    try: pid = os.fork()
    except OSError: break
    if not pid:
        time.sleep(3)
        os._exit(0)
else: sys.exit('100 processes')
""",
    "signals": """
import os, sys
try: os.kill({pid}, 0)
except OSError: pass
else: sys.exit('a signal')
""",
    "memory": """
import mmap, sys
try: mmap.mmap(-1, 10 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)  # nothing is reserved or touched
except OSError: pass
else: sys.exit('10 GiB')
""",
}


@cache
def self_test(wall: str | None = None, without: frozenset[str] = frozenset()) -> None:
    """Attack the sandbox, once a process: read secrets outside, write outside, connect, fork, signal, fill memory, never end.

    Raises:
        Unsafe: naming the boundary that did not hold, or why no sandbox can be built here.
    """
    import socket

    home = os.path.expanduser("~")
    with tempfile.TemporaryDirectory() as outside, socket.create_server(("127.0.0.1", 0)) as local, socket.socket(1) as named:
        secret = os.path.join(outside, "secret")
        with open(secret, "w", encoding="utf-8") as file:
            file.write("secret")
        for path, mode in ((outside, 0o777), (secret, 0o644)):
            os.chmod(path, mode)
        name = b"\0" + os.path.basename(outside).encode()
        named.bind(name)
        named.listen()
        private = [os.path.join(home, entry) for entry in sorted(os.listdir(home))] if os.access(home, os.R_OK) else []
        private = [path for path in private if not any(f"{shown}/".startswith(f"{path}/") for shown in _visible())]
        fill = {
            "secrets": [secret, *private[:20], f"/proc/{os.getpid()}/environ", "/proc/1/environ", "/etc/passwd"],
            "outside": outside,
            "environment": {*ENVIRONMENT, "LC_CTYPE", "LD_LIBRARY_PATH"},
            "port": local.getsockname()[1],
            "name": name,
            "pid": os.getpid(),
        }
        programs = [ATTACKS["python"], *(text.format(**fill) for boundary, text in ATTACKS.items() if boundary != "python")]
        early = "import os\nos._exit(0)"
        *attacks, left = run_programs([*programs, early], 5.0, wall=wall, without=without)
        (asleep,) = run_programs(["import time\ntime.sleep(2)"], 0.1, wall=wall, without=without)
        broken = [f"{boundary} ({o.reason})" for boundary, o in zip(ATTACKS, attacks, strict=True) if not o.passed]
        for each in (local, named):
            if select.select([each], [], [], 0)[0]:
                broken.append("network (a connection came in)")
        if set(os.listdir(outside)) != {"secret"}:
            broken.append("files (something was written)")
        if asleep != Outcome(False, "time"):
            broken.append("time (a program went on beyond its limit)")
        if left.passed:
            broken.append("verdict (a program that left early counts as passed)")
        for folder in ("/", "/usr/lib", sys.prefix):
            with contextlib.suppress(OSError):
                os.remove(os.path.join(folder, "planted-by-a-self-test"))
    if broken:
        raise Unsafe(f"the sandbox for programs of models does not hold on this machine: {', '.join(broken)}; nothing is run")


# --- inside: walls ----------------------------------------------------------------------------------------------------------

BOUNDARIES = ("files", "network", "processes", "signals", "memory", "time")
NEW = {"mount": 0x20000, "ipc": 0x8000000, "user": 0x10000000, "pid": 0x20000000, "net": 0x40000000}  # CLONE_NEW*
MS = {"ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8, "remount": 32, "noatime": 1024, "nodiratime": 2048}
MS |= {"bind": 4096, "rec": 16384, "private": 1 << 18, "relatime": 1 << 21}
NOBODY = 65534
LIBC = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> int:
    """A function of the C library; OSError with its name when it fails."""
    given = [ctypes.c_long(a) if isinstance(a, int) else os.fsencode(a) if isinstance(a, str) else a for a in arguments]
    result = getattr(LIBC, name)(*given)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def _visible() -> list[str]:
    """What a program may read: the Python installation and the system's libraries."""
    python = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, *sysconfig.get_paths().values()}
    libraries = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/etc/ld.so.cache"]
    found = sorted({os.path.realpath(path) for path in [*python, *libraries] if os.path.exists(path)})
    return [path for path in found if not any(path.startswith(f"{other}/") for other in found)]


def _open_to_all(path: str) -> bool:
    """Whether any user may read a path and walk to it."""
    parents = [path[:i] or "/" for i, letter in enumerate(path) if letter == "/"]
    return all(os.stat(parent).st_mode & 1 for parent in parents) and bool(os.stat(path).st_mode & 4)


def _links(paths: list[str]) -> Iterator[tuple[str, str]]:
    """(link, target) of the symbolic links by which Python and the system name visible folders."""
    for path in ["/lib", "/lib64", sys.prefix, sys.base_prefix]:
        parts = path.strip("/").split("/")
        for i in range(1, len(parts) + 1):
            link = "/" + "/".join(parts[:i])
            if os.path.islink(link) and any(p.startswith(os.path.realpath(link)) for p in paths):
                yield link, os.path.realpath(link)


def _enter_namespaces(options: dict) -> None:
    """Leave the machine's network, IPC and files for a root that holds `_visible` read-only, and an empty /tmp."""
    without, uid, gid = options["without"], os.geteuid(), os.getegid()
    spaces = NEW["mount"] | NEW["ipc"] | (0 if "network" in without else NEW["net"])
    options["root"] = uid == 0
    try:
        if uid:
            raise PermissionError
        _call("unshare", spaces)
    except PermissionError:
        _call("unshare", spaces | NEW["user"])
        options["root"] = False
        for file, text in (("setgroups", "deny"), ("uid_map", f"{NOBODY} {uid} 1"), ("gid_map", f"{NOBODY} {gid} 1")):
            with open(f"/proc/self/{file}", "w") as opened:
                opened.write(text)
    _call("mount", "none", "/", None, MS["rec"] | MS["private"], None)
    if "files" in without:
        return
    root = options["folder"]
    _call("mount", "tmpfs", root, "tmpfs", MS["nosuid"] | MS["nodev"], b"size=1m,mode=755")
    paths = _visible()
    for path in paths:
        if os.path.isdir(path):
            os.makedirs(root + path, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(root + path), exist_ok=True)
            os.close(os.open(root + path, os.O_CREAT))
        _call("mount", path, root + path, None, MS["bind"] | MS["rec"], None)
    for link, target in _links(paths):
        if not os.path.lexists(root + link):
            os.makedirs(os.path.dirname(root + link), exist_ok=True)
            os.symlink(target, root + link)
    os.makedirs(f"{root}/tmp", exist_ok=True)
    os.makedirs(f"{root}/old")
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        mounted = [line.split()[4].encode().decode("unicode_escape") for line in file]
    for point in mounted:  # a bind mount takes its flags in a second call, one by one
        if point.startswith(f"{root}/"):
            flags = os.statvfs(point).f_flag
            kept = (os.ST_NOEXEC, "noexec"), (os.ST_NOATIME, "noatime"), (os.ST_NODIRATIME, "nodiratime"), (4096, "relatime")
            flags = sum(MS[name] for flag, name in kept if flags & flag)
            flags |= MS["bind"] | MS["remount"] | MS["ro"] | MS["nosuid"] | MS["nodev"]
            _call("mount", "none", point, None, flags, None)
    os.chdir(root)
    pivot = {"x86_64": 155, "aarch64": 41}[platform.machine()]
    _call("syscall", pivot, root, f"{root}/old")
    os.chdir("/")
    _call("umount2", "/old", 2)  # MNT_DETACH
    _call("mount", "none", "/", None, MS["bind"] | MS["remount"] | MS["ro"] | MS["nosuid"] | MS["nodev"], None)


def _own_namespaces(options: dict) -> None:
    """For the parent of one program: what it forks next sees no process but its own, and /tmp is new."""
    spaces = NEW["mount"] | NEW["ipc"] | (0 if "signals" in options["without"] else NEW["pid"])
    _call("unshare", spaces)
    if "files" not in options["without"]:
        _call("mount", "tmpfs", "/tmp", "tmpfs", MS["nosuid"] | MS["nodev"], b"size=32m,nr_inodes=4k,mode=1777")
        os.chdir("/tmp")


def _drop_rights(options: dict) -> None:
    """Root becomes a user of its own, or nobody where a container has no other; all capabilities go.

    Without a mount namespace Python may lie where only root can read; then root stays root in name, without capabilities.
    """
    if options["root"] and (options["wall"] == "namespaces" or all(map(_open_to_all, _visible()))):
        os.setgroups([])
        for own in (0x70000000 + os.getppid() % 0x100000, NOBODY):
            try:
                os.setresgid(own, own, own)
                os.setresuid(own, own, own)
                break
            except OSError:
                if own == NOBODY:
                    raise
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    _call("capset", header, none)
    _call("prctl", 1, signal.SIGKILL)  # die with the parent; a change of user has cleared it
    _call("prctl", 38, 1, 0, 0, 0)  # no_new_privs


def _limit(options: dict) -> None:
    def limit(what: int, value: int) -> None:
        hard = resource.getrlimit(what)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (value, value))

    without = options["without"]
    if "memory" not in without:
        limit(resource.RLIMIT_AS, options["memory"])
    if "processes" not in without:
        limit(resource.RLIMIT_NPROC, options["processes"])
    if "time" not in without:
        limit(resource.RLIMIT_CPU, math.ceil(options["seconds"]))
    limit(resource.RLIMIT_FSIZE, 16 << 20)
    limit(resource.RLIMIT_NOFILE, 64)
    limit(resource.RLIMIT_CORE, 0)


def _restrict_files(folder: str) -> None:
    """Landlock: read `_visible`, read and write ``folder``, nothing else (man 7 landlock)."""
    if _call("syscall", 444, None, 0, 1) < 3:
        raise OSError("Landlock is too old (kernel 6.2 or newer is needed)")
    everything, reading = (1 << 15) - 1, 0b1101  # execute, read a file, read a folder
    rules = _call("syscall", 444, ctypes.byref(ctypes.c_uint64(everything)), 8, 0)
    for path, access in [*((path, reading) for path in _visible()), (folder, everything & ~1)]:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = access if os.path.isdir(path) else 0b101
        _call("syscall", 445, rules, 1, struct.pack("<Qi", allowed, opened), 0)
        os.close(opened)
    _call("syscall", 446, rules, 0)
    os.close(rules)


# Numbers of system calls on x86-64 and AArch64 (- where there is none) that programs do without: in both walls those that
# touch other processes, the kernel or the network; in landlock also those that namespaces would make harmless.
ALWAYS = """ptrace 101 117; process_vm_readv 310 270; process_vm_writev 311 271; unshare 272 97; setns 308 268; mount 165 40;
umount2 166 39; pivot_root 155 41; chroot 161 51; keyctl 250 219; add_key 248 217; request_key 249 218; bpf 321 280;
perf_event_open 298 241; userfaultfd 323 282; io_uring_setup 425 425; open_by_handle_at 304 265; kexec_load 246 104;
pidfd_getfd 438 438; open_tree 428 428; move_mount 429 429; fsopen 430 430; fsmount 432 432; mount_setattr 442 442"""
NETWORK = "socket 41 198"  # also the families that no network namespace shuts in, such as a virtual machine's vsock
ALONE = """socketpair 53 199; fork 57 -; vfork 58 -; chmod 90 -; fchmod 91 52; fchmodat 268 53; fchmodat2 452 452; chown 92 -;
fchown 93 55; lchown 94 -; fchownat 260 54; utime 132 -; utimes 235 -; utimensat 280 88; futimesat 261 -; setxattr 188 5;
lsetxattr 189 6; fsetxattr 190 7; removexattr 197 14; lremovexattr 198 15; fremovexattr 199 16; shmget 29 194; shmat 30 196;
shmctl 31 195; msgget 68 186; msgsnd 69 189; msgrcv 70 188; msgctl 71 187; semget 64 190; semop 65 193; semctl 66 191;
semtimedop 220 192; mq_open 240 180; mq_unlink 241 181; setpriority 141 140; ioprio_set 251 30; sched_setaffinity 203 122;
sched_setscheduler 144 119; sched_setparam 142 118; sched_setattr 314 274; migrate_pages 256 238; move_pages 279 239"""
SIGNALS = "kill 62 129; tkill 200 130; rt_sigqueueinfo 129 138; rt_tgsigqueueinfo 297 240; pidfd_send_signal 424 424"
MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}


def _filter(options: dict) -> bytes:
    """The system call filter as classic BPF (man 2 seccomp): each instruction is code, jump if true, if false, value."""
    architecture, column = MACHINES[platform.machine()]
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    kill, refuse, absent, allow = 0x80000000, 0x50000 | 1, 0x50000 | 38, 0x7FFF0000
    without, alone = options["without"], options["wall"] == "landlock"
    steps = [(load, 0, 0, 4), (equal, 1, 0, architecture), (give, 0, 0, kill), (load, 0, 0, 0)]
    if column == 0:  # the x32 calls, numbered anew from here
        steps += [(at_least, 0, 1, 0x40000000), (give, 0, 0, kill)]
    tables = [ALWAYS] + [NETWORK] * ("network" not in without) + [ALONE] * alone
    tables += [SIGNALS] * (alone and "signals" not in without)
    for entry in "; ".join(tables).split(";"):
        number = entry.split()[1 + column]
        if number != "-" and not (entry.split()[0] in ("fork", "vfork") and "processes" in without):
            steps += [(equal, 0, 1, int(number)), (give, 0, 0, refuse)]

    def when(numbers: tuple[int, int], argument: int, test: list[tuple[int, int, int, int]]) -> None:
        """Refuse a call by an argument: ``test`` falls through to the refusal, or jumps over it."""
        body = [(load, 0, 0, 16 + 8 * argument), *test, (give, 0, 0, refuse), (load, 0, 0, 0)]
        steps.extend([(equal, 0, len(body), numbers[column]), *body])

    steps += [(equal, 0, 1, 435), (give, 0, 0, absent)]  # clone3 hides its flags; the C library then takes clone
    spaces = sum(NEW.values()) | 0x2000000 | 0x4000000
    when((56, 220), 0, [(any_bit, 0, 1, spaces)])
    if alone:
        if "processes" not in without:
            when((56, 220), 0, [(any_bit, 1, 0, 0x10000)])  # CLONE_THREAD
        if "signals" not in without:
            when((234, 131), 0, [(equal, 1, 0, os.getpid())])  # tgkill, by which a process aborts
        when((302, 261), 0, [(equal, 1, 0, 0)])  # prlimit64
        for command in (8, 15):  # fcntl: F_SETOWN, F_SETOWN_EX
            when((72, 25), 1, [(equal, 0, 1, command)])
    return b"".join(struct.pack("<HBBI", *step) for step in [*steps, (give, 0, 0, allow)])


def _filter_calls(options: dict) -> None:
    code = _filter(options)
    held = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(held))
    _call("prctl", 22, 2, program, 0, 0)  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


# --- inside: one program ----------------------------------------------------------------------------------------------------

END = "end of the program"


def _play(code: CodeType, audit: Callable, fail: Callable) -> None:
    """Run a program; nothing stands between its last line and the event that the hook waits for."""
    try:
        exec(code, {})
    except BaseException as error:
        fail(error)
    audit(END)


def _referee(pipe: int) -> Callable[[str, CodeType], None]:
    """Write a random number into the pipe, and hide it in a hook that writes it again at the end of the program.

    The hook cannot be removed, and no list of objects shows it. It answers only when `_play` itself raises the event, from the
    very place where it does so in a rehearsal. Tracing and ctypes, which could put words into the mouth of `_play`, end a
    program.
    """
    nonce, write, leave, frame_of = os.urandom(16), os.write, os._exit, sys._getframe
    play, caller, places = _play.__code__, frame_of(1), []
    write(pipe, nonce)

    def hook(event: str, arguments: tuple) -> None:
        if event == "end of the program":
            frame = frame_of(1)
            if frame.f_code is play and frame.f_back is caller:
                if not places:
                    places.append(frame.f_lasti)
                elif frame.f_lasti == places[0]:
                    write(pipe, nonce)
                    leave(0)
        elif event.startswith(("ctypes.", "sys.settrace", "sys.setprofile", "sys.monitoring")) and places:
            leave(3)

    for hidden in (hook, hook.__closure__, *hook.__closure__, places):
        ctypes.pythonapi.PyObject_GC_UnTrack(ctypes.py_object(hidden))
    sys.addaudithook(hook)


def _run(program: bytes, pipe: int) -> NoReturn:
    """In the program's own process: run it, and leave. The pipe gets the number, then the number again or ``!`` and why not."""
    leave, write = os._exit, os.write

    def fail(error: BaseException) -> NoReturn:
        try:
            write(pipe, f"!{type(error).__name__}: {error}"[:200].encode("utf-8", "replace"))
        finally:
            leave(1)

    try:
        code = compile(program.decode("utf-8", "surrogatepass"), "<program>", "exec")
    except BaseException as error:
        write(pipe, bytes(16))
        fail(error)
    _referee(pipe)
    for each in (compile("", "", "exec"), code):  # the first is the rehearsal
        _play(each, sys.audit, fail)
    leave(4)


def _attend(program: bytes, options: dict) -> Outcome:
    """In a process of its own, for one program: fork it, wait, and judge."""
    alone, folder = options["wall"] == "landlock", os.path.join(options["folder"], str(os.getpid()))
    if alone:
        os.mkdir(folder)
        os.chdir(folder)
    else:
        _own_namespaces(options)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            null = os.open("/dev/null", os.O_RDWR) if options["null"] is None else options["null"]
            for standard in range(3):
                os.dup2(null, standard)
            os.dup2(writing, 3)
            os.closerange(4, 1 << 16)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            os.setsid()
            _limit(options)
            if alone and options["root"]:
                os.chmod(folder, 0o777)
            _drop_rights(options)
            if alone and "files" not in options["without"]:
                _restrict_files(folder)
            _filter_calls(options)
        except BaseException:
            os._exit(2)
        _run(program, 3)
    os.close(writing)
    end, status = time.monotonic() + PATIENCE * options["seconds"], None
    while status is None:
        signal.sigtimedwait({signal.SIGCHLD}, max(0.0, end - time.monotonic()))
        found, code = os.waitpid(pid, os.WNOHANG)
        if found:
            status = os.waitstatus_to_exitcode(code)
        elif time.monotonic() >= end and "time" not in options["without"]:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return Outcome(False, "time")
    os.set_blocking(reading, False)
    try:
        said = os.read(reading, 1 << 17)
    except BlockingIOError:
        said = b""
    if status == 2 and not said:
        raise OSError("the program's process could not be shut in")
    nonce, rest = said[:16], said[16:]
    if status == 0 and nonce and rest == nonce:
        return Outcome(True, "")
    if status < 0:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        late = "time" not in options["without"] and used.ru_utime + used.ru_stime >= math.ceil(options["seconds"]) - 0.1
        return Outcome(False, "time" if late else signal.Signals(-status).name)
    return Outcome(False, rest[1:].decode("utf-8", "replace") if rest[:1] == b"!" else "left before the end")


def _serve(options: dict) -> None:
    """The sandbox: shut itself in, then take programs from stdin and write outcomes to stdout, a line of JSON each."""

    def say(value: dict) -> None:
        os.write(1, json.dumps(value).encode() + b"\n")

    _call("prctl", 1, signal.SIGKILL)
    options["root"], options["null"] = os.geteuid() == 0, os.open("/dev/null", os.O_RDWR)
    try:
        if platform.machine() not in MACHINES:
            raise OSError(f"no filter of system calls is known for {platform.machine()}")
        if options["wall"] == "namespaces":
            _enter_namespaces(options)
        else:
            os.chmod(options["folder"], 0o711)
            if _call("syscall", 444, None, 0, 1) < 3:
                raise OSError("Landlock is too old (kernel 6.2 or newer is needed)")
    except OSError as error:
        say({"unsafe": error.strerror or str(error)})
        return
    say({"wall": options["wall"]})
    gc.freeze()
    source = open(0, "rb", closefd=False)  # noqa: SIM115
    while size := source.read(8):
        program = source.read(struct.unpack("<Q", size)[0])
        keeper = os.fork()
        if not keeper:
            try:
                _call("prctl", 1, signal.SIGKILL)
                outcome = _attend(program, options)
            except BaseException as error:
                print(repr(error), file=sys.stderr)
                os._exit(1)
            say({"passed": outcome.passed, "reason": outcome.reason})
            os._exit(0)
        if os.waitpid(keeper, 0)[1]:
            return


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
