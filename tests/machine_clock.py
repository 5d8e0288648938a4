"""A system clock that can be set, for real processes: a library that is loaded before all others.

It moves what `time`, `gettimeofday` and `clock_gettime` say of the system clock, in every process
that has it, at once. The clocks that nobody can set are left alone, and so are waits.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

_SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile double *ahead;

__attribute__((constructor)) static void attach(void) {
  const char *path = getenv("MACHINE_CLOCK");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void *page = mmap(NULL, sizeof(double), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (page != MAP_FAILED) ahead = page;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = (int)syscall(SYS_clock_gettime, clock, now);
  if (!failed && ahead && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    now->tv_sec += (time_t)*ahead;
  return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  struct timespec exact;
  if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *now) {
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  if (now) *now = exact.tv_sec;
  return exact.tv_sec;
}
"""


class MachineClock:
    """The clock of a make-believe machine. env: what its processes need in their environment."""

    def __init__(self, folder: Path) -> None:
        """Build the library; the test is skipped where there is no C compiler."""
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("no C compiler")
        source, library = folder / "clock.c", folder / "clock.so"
        source.write_text(_SOURCE)
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source], check=True)
        self._file = folder / "ahead"
        self._file.write_bytes(struct.pack("d", 0.0))
        self.env = {"LD_PRELOAD": str(library), "MACHINE_CLOCK": str(self._file)}

    def set(self, ahead_s: float) -> None:
        """Set it so many seconds ahead of the right time."""
        with self._file.open("r+b") as page:
            page.write(struct.pack("d", ahead_s))
