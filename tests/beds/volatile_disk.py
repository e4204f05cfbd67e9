"""A disk with a volatile cache, as a plugin of nbdkit: a write is there for good only after a flush (or with FUA).

When the file `cut` appears, the next request is the power cut: of the writes since the last flush each sector is
kept with the probability `keep`, each for itself, so that writes are torn, in any order, and an older one may
outlive a newer one. While the file `eio` is there, every write and flush fails.
"""

import os
import random

import nbdkit

API_VERSION = 2
SECTOR = 512

options = {"image": "", "cut": "", "eio": "", "keep": "0", "seed": "1"}
image = -1
unflushed = []  # (number of the sector, its bytes), in the order of the writes
newest = {}  # the same, the newest write of each sector


def config(key, value):
    options[key] = value


def get_ready():
    global image
    image = os.open(options["image"], os.O_RDWR)


def thread_model():
    return nbdkit.THREAD_MODEL_SERIALIZE_ALL_REQUESTS


def open(readonly):
    return 1


def get_size(handle):
    return os.fstat(image).st_size


def can_flush(handle):
    return True


def can_fua(handle):
    return nbdkit.FUA_NATIVE


def power_cut():
    chance = random.Random(int(options["seed"]))
    keep = float(options["keep"])
    kept = 0
    for sector, data in unflushed:
        if chance.random() < keep:
            os.pwrite(image, data, sector * SECTOR)
            kept += 1
    with os.fdopen(os.open(options["cut"] + ".report", os.O_CREAT | os.O_TRUNC | os.O_WRONLY), "w") as report:
        report.write(f"{len(unflushed)} {kept}\n")
    os._exit(0)


def check(writes):
    if os.path.exists(options["cut"]):
        power_cut()
    if writes and os.path.exists(options["eio"]):
        nbdkit.set_error(5)
        raise OSError(5, "injected")


def pread(handle, buffer, offset, flags):
    check(False)
    data = bytearray(os.pread(image, len(buffer), offset))
    for at in range(0, len(buffer), SECTOR):
        written = newest.get((offset + at) // SECTOR)
        if written is not None:
            data[at : at + SECTOR] = written
    buffer[:] = data


def pwrite(handle, buffer, offset, flags):
    check(True)
    data = bytes(buffer)
    for at in range(0, len(data), SECTOR):
        sector, piece = (offset + at) // SECTOR, data[at : at + SECTOR]
        unflushed.append((sector, piece))
        newest[sector] = piece
    if flags & nbdkit.FLAG_FUA:
        settle()


def flush(handle, flags):
    check(True)
    settle()


def settle():
    for sector, data in newest.items():
        os.pwrite(image, data, sector * SECTOR)
    unflushed.clear()
    newest.clear()
