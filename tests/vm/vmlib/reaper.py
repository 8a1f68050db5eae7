"""Run a program and take in what it leaves behind, as the first process of a machine does, but at once.

libvirt waits until the QEMU that it ended is nobody's child any more, and not every machine's first
process is quick at that.
"""
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def main(argv):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    program = os.fork()
    if program == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        os.execv(argv[0], argv)
    while True:
        pid, status = os.wait()
        if pid == program:
            sys.exit(0 if status == 0 else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
