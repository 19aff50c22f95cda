"""Run a command and write its seconds and its peak memory (kB) to a file: `python measured.py FILE COMMAND…`.

A process of its own, because on Linux a child's peak begins with that of the process that starts it: this one is tiny.
"""

import os
import sys
import time

if __name__ == "__main__":
    report, command = sys.argv[1], sys.argv[2:]
    begun = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ)
    _, status, used = os.wait4(child, 0)
    with open(report, "w") as file:  # noqa: PTH123 - pathlib would take memory
        file.write(f"{time.perf_counter() - begun} {used.ru_maxrss} {used.ru_utime + used.ru_stime}")
    sys.exit(os.waitstatus_to_exitcode(status))
