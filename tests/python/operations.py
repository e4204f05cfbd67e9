"""Every operation on a real cluster: operations.py HOST:PORT … [--key FILE] [--loss 0.2]."""

import argparse
import os

import msgpack
from ftq import Client, Key, unpack


class Queues:
    """The operations: what an answer says behind its kind, or the number of the error."""

    def __init__(self, client):
        self.client = client

    def do(self, *command):
        return self.said(self.client.command(msgpack.packb(list(command))))

    def ask(self, *question, local=False):
        return self.said(self.client.question(msgpack.packb(list(question)), local))

    def said(self, answer):
        kind, *fields = unpack(answer)
        return fields[0] if kind == 0 else (NAMES[kind], *fields)

    def create(self, label):
        return self.do(1, label)

    def destroy(self, queue):
        return self.do(2, queue)

    def push(self, queue, items, *options):
        return self.do(3, queue, items, *options)

    def pop(self, queue, count=1, wait_ms=0):
        return self.do(4, queue, count, wait_ms)

    def ids(self, name, count):
        return self.do(5, name, count)

    def take(self, queue, count=1, lease_ms=60_000, wait_ms=0):
        return self.do(6, queue, count, lease_ms, wait_ms)

    def ack(self, queue, *receipts):
        return self.do(7, queue, receipts)

    def nack(self, queue, delay_ms, *receipts):
        return self.do(8, queue, receipts, delay_ms)

    def id(self, label):
        return self.ask(1, label)

    def top(self, queue):
        return self.ask(2, queue)

    def size(self, queue):
        return self.ask(3, queue)


NAMES = {1: "queue", 2: "done", 3: "at", 4: "popped", 5: "top", 6: "size", 7: "from", 8: "summary", 9: "taken"}
NAMES |= {10: "seen", 11: "statistics", 12: "queues", 13: "steps"}
NO_SUCH_QUEUE, NO_SUCH_LABEL, EMPTY, BAD_LABEL, BAD_COUNT, ITEM_TOO_LARGE = 2, 3, 4, 5, 6, 7
QUEUE_FULL, PAUSED, NO_SUCH_LEASE, BAD_OPTION, NOT_A_STEP = 11, 12, 13, 14, 16


def same(found, expected):
    assert found == expected, f"{found!r:.200} is not {expected!r:.200}"


def run(q):
    same(q.id("letters"), NO_SUCH_LABEL)
    _, queue = q.create("letters")
    same(q.create("letters"), ("queue", queue))
    same(q.create(""), BAD_LABEL)
    same(q.id("letters"), ("queue", queue))
    same(q.pop(queue), EMPTY)
    same(q.pop(queue, 1, 50), EMPTY)
    same(q.top(queue), EMPTY)
    same(q.push(queue, [b"a", b"", b"\xff\0"]), ("at", 1, 3))
    same(q.push(queue, []), BAD_COUNT)
    same(q.top(queue), ("top", 1, b"a"))
    same(q.size(queue), ("size", 3, 0, 0))
    same(q.pop(queue), ("popped", [[1, b"a"]]))
    same(q.pop(queue, 10), ("popped", [[2, b""], [3, b"\xff\0"]]))
    for number in range(30):
        same(q.push(queue, [b"%d" % number]), ("at", 4 + number, 1))
    for number in range(30):
        same(q.pop(queue), ("popped", [[4 + number, b"%d" % number]]))
    large = os.urandom(1 << 20)
    same(q.push(queue, [large]), ("at", 34, 1))
    assert q.top(queue) == ("top", 34, large) and q.pop(queue) == ("popped", [[34, large]])
    same(q.push(queue, [large + b"x"]), ITEM_TOO_LARGE)
    same(q.ids("invoice", 1), ("from", 1, 1))
    same(q.ids("invoice", 10), ("from", 2, 10))
    same(q.ask(4)[1:4], (1, 1, 0))
    leases(q, queue)
    settings(q, queue)
    same(q.destroy(queue), ("done", 1))
    same(q.destroy(queue), NO_SUCH_QUEUE)
    same(q.size(queue), NO_SUCH_QUEUE)
    print("every operation did what it should")


def leases(q, queue):
    _, first, _ = q.push(queue, [b"x", b"y"])
    _, [[position, token, deliveries, item]] = q.take(queue)
    same((position, deliveries, item), (first, 1, b"x"))
    same(q.size(queue), ("size", 1, 1, 0))
    same(q.ack(queue, [position, token + 1]), NO_SUCH_LEASE)
    same(q.do(9, queue, [[position, token]], 90_000), ("done", 1))
    same(q.nack(queue, 0, [position, token]), ("done", 1))
    _, [[again, later, deliveries, item], [_, last, _, _]] = q.take(queue, 2)
    same((again, deliveries, item), (position, 2, b"x"))
    assert token < later < last
    same(q.do(14, [[7, queue, [[again, later]]], [3, queue, [b"z"]]]), ("steps", [[2, 1], [3, first + 2, 1]]))
    same(q.do(14, [[7, queue, [[again, later]]], [3, queue, [b"z"]]]), NO_SUCH_LEASE)
    same(q.do(14, [[2, queue]]), NOT_A_STEP)
    same(q.ack(queue, [first + 1, last]), ("done", 1))
    same(q.pop(queue), ("popped", [[first + 2, b"z"]]))
    same(q.take(queue, 1, 1_000, 50), EMPTY)


def settings(q, queue):
    _, dead = q.create("dead")
    same(q.do(10, queue, 2, None, 1, dead, 60_000), ("done", 0))
    _, first, _ = q.push(queue, [b"late"], 7, 0, None, "key")
    same(q.push(queue, [b"other"], 0, 0, None, "key"), ("at", first, 1))
    same(q.push(queue, [b"first"], 0, 0, 3_600_000, None), ("at", first + 1, 1))
    same(q.push(queue, [b"over"]), QUEUE_FULL)
    same(q.push(queue, [b"?"], 8, 0, None, None), BAD_OPTION)
    same(q.ask(5, queue, 0, 0, 9), ("seen", [[0, first + 1, 0, b"first"], [7, first, 0, b"late"]]))
    same(q.do(11, queue, True), ("done", 0))
    same(q.take(queue), PAUSED)
    same(q.do(11, queue, False), ("done", 0))
    _, [[position, token, _, item]] = q.take(queue)
    same(item, b"first")
    same(q.nack(queue, 0, [position, token]), ("done", 1))
    same(q.size(dead), ("size", 1, 0, 0))
    same(q.do(13, dead, 9), ("done", 1))
    statistics = q.ask(6, queue)
    same(statistics[:6], ("statistics", "letters", 2, 0, 0, 0))
    same(q.do(12, queue), ("done", 2))
    same(q.ask(7, 0, 9), ("queues", [[queue, "letters"], [dead, "dead"]]))
    same(q.push(queue, [b"delayed"], 4, 3_600_000, None, None)[0], "at")
    same(q.size(queue), ("size", 0, 0, 1))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("servers", nargs="+")
    arguments.add_argument("--key")
    arguments.add_argument("--loss", type=float, default=0.0)
    told = arguments.parse_args()
    servers = [(host, int(port)) for host, port in (server.rsplit(":", 1) for server in told.servers)]
    key = Key.read(told.key) if told.key else None
    run(Queues(Client(servers, key, told.loss)))


if __name__ == "__main__":
    main()
