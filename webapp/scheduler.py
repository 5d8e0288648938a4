"""The scheduler process: sends the messages of reaper and sweep to the workers, by the clock.

It is asked for by `python -m webapp.scheduler`, which reads the settings, and then replaces itself
by this file alone: a process of the standard library, an eighth of what Django and Celery would
take for as long as the instance runs (docs/decisions/0030). What it needs to know goes through a
pipe, so that a password of Redis stands neither among its arguments nor in its environment.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import FrameType
from typing import Any, Final

from jobs.queue import messages
from webapp.processes import pulse, redis_push

EXPIRES_AFTER: Final = timedelta(seconds=60)
"""A message that no worker took for so long is dropped by the one that takes it: the next came."""

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")

Push = Callable[[str, str], None]
"""Puts a message into a queue: its name, the message. Raises OSError and redis_push.Refused."""


class Clock:
    """What is sent how often, and when next; a Redis that is away is tried again and not waited
    for.

    every_s: task name -> seconds between two of its messages, the first one interval from now. now:
    seconds that only go forward: setting the machine's clock changes nothing here.
    """

    def __init__(
        self, every_s: Mapping[str, float], push: Push, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.every_s = every_s
        self.due_at = {task: now() + interval_s for task, interval_s in every_s.items()}
        self._push = push
        self._now = now
        self._away = False

    def tick(self) -> float:
        """Send what is due and give a sign of life; seconds until the next tick, at most
        BEAT_EVERY_S. What cannot be sent stays due, once, however long Redis is away."""
        pulse.beat()
        for task, due_at in self.due_at.items():
            if due_at > self._now():
                continue
            if not self._send(task):
                return pulse.BEAT_EVERY_S
            self.due_at[task] = self._now() + self.every_s[task]
        return max(0.0, min(pulse.BEAT_EVERY_S, min(self.due_at.values()) - self._now()))

    def _send(self, task: str) -> bool:
        message = messages.encode(task, expires_after=EXPIRES_AFTER)
        try:
            self._push(messages.queue_of(task), message)
        except (OSError, redis_push.Refused) as error:
            if not self._away:
                reason = str(error) if isinstance(error, redis_push.Refused) else "does not answer"
                say("WARNING", f"Redis takes nothing ({reason}); trying on")
            self._away = True
            return False
        if self._away:
            say("INFO", "Redis is back")
        self._away = False
        return True


class _Log:
    """The levels that are written: STORYKEEP_LOG_LEVEL and what is more urgent."""

    levels: Sequence[str] = LEVELS


def say(level: str, words: str) -> None:
    """Write a line of the log. The logging package would be a tenth of this process."""
    if level not in _Log.levels:
        return
    moment = time.strftime("%Y-%m-%d %H:%M:%S")
    sys.stderr.write(f"{moment} {level} webapp.scheduler: {words}\n")
    sys.stderr.flush()


def run(plan: Mapping[str, Any]) -> None:
    """Run until SIGTERM. plan: `every_s`, `address` (a redis_push.Address as a dict; None: the
    settings' own connection is taken, and all that it loads), `pulse_fd`, `log_level`."""
    _Log.levels = LEVELS[LEVELS.index(plan["log_level"]) :]

    def on_sigterm(_number: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, on_sigterm)
    pulse.begin(plan["pulse_fd"])
    push = _plain(plan["address"]) if plan["address"] else _through_the_library
    clock = Clock(plan["every_s"], push)
    while True:
        time.sleep(clock.tick())


def _plain(facts: Mapping[str, Any]) -> Push:
    address = redis_push.Address(**facts)
    return lambda queue, message: redis_push.push(address, queue, message)


def _through_the_library(queue: str, message: str) -> None:
    """For a Redis over TLS. Raises OSError and Refused."""
    from jobs.ephemeral import connection

    try:
        connection.write(lambda server: server.lpush(queue, message))
    except connection.RedisUnavailable as error:
        if error.reason:
            raise redis_push.Refused(error.reason) from error
        raise ConnectionError from error


def become(pulse_fd: int | None) -> None:
    """Read the settings, and replace this process by one that knows what of them it needs."""
    from jobs.ephemeral import heartbeats
    from webapp.env import PROJECT_DIR, child_environment
    from webapp.settings import STORYKEEP

    address = redis_push.parse(STORYKEEP.redis_address)
    plan = {
        "every_s": {
            messages.REPAIR: heartbeats.REAP_EVERY_S,
            messages.SWEEP: heartbeats.SWEEP_EVERY_S,
        },
        "address": address._asdict() if address else None,
        "pulse_fd": pulse_fd,
        "log_level": STORYKEEP.log_level,
    }
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as pipe:
        json.dump(plan, pipe)
    os.set_inheritable(reading, True)
    paths = [str(PROJECT_DIR), *filter(None, [child_environment().get("PYTHONPATH")])]
    environment = child_environment() | {
        "PYTHONPATH": os.pathsep.join(paths),
        "DJANGO_SETTINGS_MODULE": "webapp.settings",
        "TZ": STORYKEEP.zone_name,
    }
    small = ["-S"] if address else []  # no installed package, and no time to find them
    argv = [sys.executable, *small, "-P", __file__, "--plan-fd", str(reading)]
    os.execve(argv[0], argv, environment)  # noqa: S606


def main() -> None:
    """Read the settings and run, or run by the plan in `--plan-fd`."""
    if sys.argv[1:2] == ["--plan-fd"]:
        with os.fdopen(int(sys.argv[2]), encoding="utf-8") as pipe:
            plan = json.load(pipe)
        run(plan)
    else:
        import argparse

        parser = argparse.ArgumentParser(prog="python -m webapp.scheduler")
        parser.add_argument("--pulse-fd", type=int, help="the supervisor's pipe for signs of life")
        become(parser.parse_args().pulse_fd)


if __name__ == "__main__":
    main()
