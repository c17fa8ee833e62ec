"""How much memory this process may still take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

GROUPS, OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
CACHED = ("inactive_file", "active_file")  # of a group's pages, those that it can drop; version 1
# has these of the group alone, and with groups in it as `total_...`


def free_memory() -> float:
    """Bytes: the least of what is free in the machine, in the control group, and under ``ulimit``.

    A container or a batch job may have far less than its machine; ``ulimit -d`` and ``-v`` bound what
    a process takes beside the pages of its files, and with them.
    """
    import psutil

    return max(0, min([psutil.virtual_memory().available, *_left_to_group(), *_left_to_process()]))


def _left_to_group() -> Iterator[float]:
    """What the control groups of this process allow beyond what they use, without their caches."""
    for limit, used in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):  # fmt: skip
        for group in _own_groups():
            try:
                most, now = (int((group / name).read_text()) for name in (limit, used))
                stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())  # fmt: skip
            except (OSError, ValueError):  # none of this kind, or without a limit ("max")
                continue
            cached = (stat.get(f"total_{name}", stat.get(name, 0)) for name in CACHED)
            yield most - now + sum(map(int, cached))


def _own_groups() -> list[Path]:
    """Directories of this process's control groups, those that they are in, and in a container its own."""
    try:
        return list(_groups(OWN_GROUPS.read_text()))
    except (OSError, ValueError):  # not Linux, or lines of another form
        return []


def _groups(told: str) -> Iterator[Path]:
    """The directories of the groups in lines ``number:controllers:path``; without a name in version 2."""
    for _, controllers, path in (line.split(":", 2) for line in told.splitlines()):
        if controllers in ("", "memory"):
            for group in (Path(path), *Path(path).parents):
                yield GROUPS / controllers / group.relative_to("/")


def _left_to_process() -> Iterator[float]:
    """What ``ulimit -d`` and ``ulimit -v`` leave."""
    try:
        import resource

        status = Path("/proc/self/status").read_text()
    except (ImportError, OSError):  # not Linux
        return
    sizes = dict(line.split(":", 1) for line in status.splitlines())
    for what, used in ((resource.RLIMIT_DATA, "VmData"), (resource.RLIMIT_AS, "VmSize")):
        most = resource.getrlimit(what)[0]
        if most != resource.RLIM_INFINITY and used in sizes:
            yield most - 1024 * int(sizes[used].split()[0])
