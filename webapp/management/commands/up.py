"""`manage.py up`: prepare the instance, then run every process of it under a supervisor."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import django
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.urls import reverse

from accounts import setup
from jobs.files.disk import DISK_FAULTS, DISK_FULL_ERRORS
from jobs.ops import schema
from webapp import busy, log_format
from webapp.backups import before_upgrade
from webapp.base_url import absolute_url, base_url
from webapp.env import PROJECT_DIR, Env, child_environment
from webapp.processes import listening, redis_server, specs
from webapp.translations import compile_translations

SPECS: dict[str, Callable[[Env], specs.ProcessSpec]] = {
    "web": specs.web,
    "worker": specs.worker,
    "scheduler": specs.scheduler,
}
"""Processes that `--only` can run."""

PREPARING = "storykeep | preparing the pages, a few seconds ..."
PLAN = "plan.json"
"""The file the supervisor is started with, in the run folder. Where it is, the instance has run."""
AGAIN_S = 5.0
"""Seconds until the next attempt at what did not work."""
_WAITED_FOR = DISK_FAULTS | DISK_FULL_ERRORS
T = TypeVar("T")


class Command(BaseCommand):
    """Run every process, or one of them for a container."""

    help = (
        "Run the whole instance: web server, worker (which is the scheduler, too), and Redis when "
        "none is configured."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add `--only`, which each container of a larger set-up is started with."""
        parser.add_argument(
            "--only",
            choices=["migrate", *SPECS],
            help="prepare the database and stop, or become one part without preparing anything",
        )

    def handle(self, *_args: str, **options: Any) -> None:
        """Prepare, then become the supervisor or one process. Exits with code 2 when refused."""
        env: Env = settings.STORYKEEP
        only: str | None = options["only"]
        if env.log_format == "json":
            self.stdout, self.stderr = map(log_format.JsonOutput, (sys.stdout, sys.stderr))
        os.umask(0o077)  # sessions, keys and saved files are nobody else's, whatever the folder
        self.patiently(env, lambda: self.make_folders(env))
        if only == "migrate":
            for line in self.set_up_lines(env, self.prepare(env)):
                self.stdout.write(line)
        elif only:
            self.exec(list(SPECS[only](env).argv))
        else:
            self.run_supervisor(env)

    def refuse(self, line: str) -> NoReturn:
        """Print a line that says what is in the way, and exit with code 2."""
        words = f"Storykeep cannot start: {line}"
        if settings.STORYKEEP.log_format == "json":
            log_format.write_refusal(__name__, [words])
        else:
            self.stderr.write(words, ending="\n")
        sys.exit(2)

    def run_supervisor(self, env: Env) -> None:
        """Check lock and port, prepare, write the plan, and become the supervisor."""
        lock = self.patiently(env, lambda: self.lock(env))
        listener = self.bind(env)
        server = self.redis_server() if env.embedded_redis else None
        processes = specs.all_processes(env, server)
        token = self.prepare(env)
        if server:
            redis_server.take_over(server, env.run_dir)
        # The supervisor holds both as long as it lives.
        os.set_inheritable(lock, True)
        os.set_inheritable(listener, True)
        plan = {
            "processes": [dataclasses.asdict(spec) for spec in processes],
            "host": {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(env.bind, env.bind),  # noqa: S104  # nosec B104  # compared, not bound
            "port": env.port,
            "listen_fd": listener,
            "live_path": "/health/live",
            "log_format": env.log_format,
            "greeting": [
                f"ready at {base_url(env)}",
                *([server.line] if server and not server.packaged else []),
                *self.set_up_lines(env, token),
            ],
        }
        path = env.run_dir / PLAN
        self.patiently(env, lambda: write_private(path, json.dumps(plan)))
        # -S: it needs no installed package, and finding them takes time and memory. -P: its
        # neighbours in that folder have names that others use too.
        script = PROJECT_DIR / "webapp" / "processes" / "supervisor.py"
        self.exec([sys.executable, "-S", "-P", str(script), str(path)])

    def redis_server(self) -> redis_server.RedisServer:
        """The server for the embedded Redis; refuse to start without one."""
        try:
            return redis_server.find()
        except redis_server.NoRedis as error:
            self.refuse(str(error))

    def exec(self, argv: list[str]) -> NoReturn:
        """Replace this process by a command, with the environment of all our processes."""
        connections.close_all()
        self.stdout.flush()
        paths = [str(PROJECT_DIR), *filter(None, [child_environment().get("PYTHONPATH")])]
        environment = child_environment(
            MALLOC_ARENA_MAX="2",  # many threads, little memory
            # Give pictures and frames back when they are done with. By default glibc raises these
            # with the largest block it ever saw, and keeps what is smaller.
            MALLOC_MMAP_THRESHOLD_="1048576",
            MALLOC_TRIM_THRESHOLD_="1048576",
            PYTHONUNBUFFERED="1",
            CELERY_SKIP_CHECKS="1",  # they would load every view into the worker
        ) | {"PYTHONPATH": os.pathsep.join(paths)}
        os.execve(argv[0], argv, environment)  # noqa: S606  # nosec B606  # a program of ours

    # what could be in the way

    def patiently(self, env: Env, step: Callable[[], T]) -> T:
        """Do a step of the start; what it returns. Refuse when it does not work.

        An instance that has run before waits for a database that is away or locked and for a disk
        that is full, read-only or failing, as its parts do: after a power cut others may take
        longer to be back. At the very first start somebody is there to read what is wrong.
        """
        said = ""
        while True:
            try:
                return step()
            except schema.NewerDatabase:
                raise
            except (DatabaseError, OSError) as error:
                line = _in_words(error)
                if not (busy.trouble(error) and has_run(env)):
                    self.refuse(line)
            connection.close()
            if line != said:
                said = line
                self.stderr.write(f"storykeep | {line}; waiting for it", ending="\n")
                self.stderr.flush()
            time.sleep(AGAIN_S)

    def make_folders(self, env: Env) -> None:
        """Make the folders that all processes need, private to this user; refuse what is not.

        For the disk of saved files the parts wait by themselves. Raises OSError.
        """
        socket_dir = [env.redis_socket.parent] if env.embedded_redis else []
        for folder in (env.data_dir, env.run_dir, env.artifacts, *socket_dir):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                trial = folder / f".trial-{os.getpid()}"
                trial.touch()
                trial.unlink()
            except OSError as error:
                line = f"{folder} cannot be written ({error.strerror})"
                awaited = folder == env.artifacts and error.errno in _WAITED_FOR and has_run(env)
                if not awaited:
                    raise OSError(error.errno, line) from error
                self.stderr.write(f"storykeep | {line}; it goes on once it can", ending="\n")
        parent = env.redis_socket.parent
        # In a folder everyone may write: nobody else may have made it.
        if socket_dir and parent != env.run_dir:
            stat = parent.lstat()
            if stat.st_uid != os.getuid() or stat.st_mode & 0o077:
                self.refuse(f"{parent} belongs to someone else; remove it or shorten the data path")

    def lock(self, env: Env) -> int:
        """Lock the data folder and return the lock's file descriptor.

        Two instances would share a Redis socket.
        """
        lock = os.open(env.run_dir / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.refuse(f"it is running already with the data folder {env.data_dir}")
        return lock

    def bind(self, env: Env) -> int:
        """Bind the web server's address; the file descriptor. Refuse what cannot be bound, rather
        than have the web server restart on it."""
        try:
            return listening.bind(env.bind, env.port).detach()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            self.refuse(f"{env.bind} port {env.port}: {reason}; choose another with STORYKEEP_PORT")

    # preparing

    def prepare(self, env: Env) -> str | None:
        """Bring static files, translations, database and the first admin up to date.

        Quick when they are. Returns the token of a set-up link, or None when there is an admin.
        """
        collect_static(self.say_preparing)
        compile_translations()
        try:
            return self.patiently(env, lambda: prepare_database(env, self.say))
        except schema.NewerDatabase as error:
            self.refuse(str(error))
        except before_upgrade.UpgradeRefused as error:
            self.refuse(str(error))

    def say_preparing(self) -> None:
        """Say at once, also into a pipe, that it goes on."""
        self.stdout.write(PREPARING)
        self.stdout.flush()

    def say(self, line: str) -> None:
        """Print a line of the start at once."""
        self.stdout.write(f"storykeep | {line}")
        self.stdout.flush()

    def set_up_lines(self, env: Env, token: str | None) -> Iterator[str]:
        """Lines with the set-up link for the first admin; none without a token."""
        if token:
            # These URLs alone, mounted at the root: loading every view would take longer than all
            # the rest.
            path = reverse("setup", urlconf="accounts.urls", args=[token])
            yield "there is no admin yet; make one here (works once, for a day):"
            yield f"  {absolute_url(env, path)}"


def has_run(env: Env) -> bool:
    """Whether this instance has been started before, so that its settings are right."""
    return (env.run_dir / PLAN).exists()


def _in_words(error: Exception) -> str:
    """What does not work, in one line."""
    if isinstance(error, OSError):
        return str(error.strerror or error)
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"the database does not work: {lines[0]}"


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else may read."""
    path.touch(mode=0o600)
    path.write_text(text)


def prepare_database(env: Env, say: Callable[[str], None]) -> str | None:
    """Bring the tables and the first admin up to date; returns what `Command.prepare` does.

    say: is told what takes long. Raises NewerDatabase and UpgradeRefused.
    """
    migrate(say)
    password = env.admin_password.get_secret_value() if env.admin_password else None
    setup.ensure_admin(env.admin_user, password)
    return setup.create_link()


def migrate(say: Callable[[str], None]) -> None:
    """Apply missing migrations, after a backup; without any, Django's command is not even loaded.
    Note the version.

    Raises NewerDatabase and UpgradeRefused.
    """
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        before_upgrade.back_up(say)
        call_command("migrate", interactive=False, verbosity=0)
    schema.record_version()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file; waits while another process has it."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def collect_static(begins: Callable[[], object]) -> None:
    """Hash and compress the static files, when they changed since the last time.

    begins: called before work that takes seconds.
    Without write access (an image that brings the files along) existing files are used as they are.
    Raises OSError when there are none.
    """
    root = Path(settings.STATIC_ROOT)
    stamp = root / ".stamp"
    digest = hashlib.sha256(django.get_version().encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            stat = Path(storage.path(name)).stat()
            digest.update(f"{name}:{stat.st_size}:{stat.st_mtime_ns}\n".encode())
    current = digest.hexdigest()
    try:
        root.mkdir(exist_ok=True)
        with _locked(root.with_name(".staticfiles.lock")):
            if not stamp.exists() or stamp.read_text() != current:
                begins()
                call_command("collectstatic", interactive=False, verbosity=0, clear=True)
                stamp.write_text(current)
    except OSError:
        if not (root / "staticfiles.json").exists():
            raise
