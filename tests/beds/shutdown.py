"""The power cut of a file system on a healthy disk: what the system has cached and not written is gone.

EXT4_IOC_SHUTDOWN, which is XFS_IOC_GOINGDOWN, without flushing the log. The file system is opened first, so that
nothing lies between the word on standard input and the cut.
"""

import fcntl
import os
import struct
import sys

SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2

directory = os.open(sys.argv[1], os.O_RDONLY)
print("ready", flush=True)
sys.stdin.readline()
fcntl.ioctl(directory, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
