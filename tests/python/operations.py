"""Every operation on a real cluster: operations.py HOST:PORT … [--key FILE] [--loss 0.2]."""

import argparse
import os

from ftq import Client, Key


def number(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out + bytes([n]))


def counted(data):
    return number(len(data)) + data


class Answer:
    """Reads the fields of an answer."""

    def __init__(self, data):
        self.kind, self.rest = data[0], data[1:]

    def number(self):
        value = shift = 0
        while True:
            byte, self.rest = self.rest[0], self.rest[1:]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def bytes(self):
        length = self.number()
        data, self.rest = self.rest[:length], self.rest[length:]
        return data

    def error(self):
        return self.number() if self.kind == 0 else None


class Queues:
    """The operations, typed."""

    def __init__(self, client):
        self.client = client

    def create(self, label):
        answer = Answer(self.client.command(b"\x01" + counted(label.encode())))
        return answer.error() or ("queue", answer.number())

    def destroy(self, queue):
        answer = Answer(self.client.command(b"\x02" + number(queue)))
        return answer.error() or "destroyed"

    def push(self, queue, items):
        body = b"".join(counted(item) for item in items)
        answer = Answer(self.client.command(b"\x03" + number(queue) + number(len(items)) + body))
        return answer.error() or ("at", answer.number(), answer.number())

    def pop(self, queue, count=1):
        answer = Answer(self.client.command(b"\x04" + number(queue) + number(count)))
        if answer.kind == 0:
            return answer.number()
        first, count = answer.number(), answer.number()
        return first, [answer.bytes() for _ in range(count)]

    def ids(self, name, count):
        answer = Answer(self.client.command(b"\x05" + counted(name.encode()) + number(count)))
        return answer.error() or ("from", answer.number(), answer.number())

    def id(self, label):
        answer = Answer(self.client.question(b"\x01" + counted(label.encode())))
        return answer.error() or ("queue", answer.number())

    def top(self, queue):
        answer = Answer(self.client.question(b"\x02" + number(queue)))
        return answer.error() or (answer.number(), answer.bytes())

    def size(self, queue, local=False):
        answer = Answer(self.client.question(b"\x03" + number(queue), local))
        return answer.error() or ("ready", answer.number())

    def summary(self):
        answer = Answer(self.client.question(b"\x04"))
        assert answer.kind == 8
        return [answer.number() for _ in range(5)], answer.rest


NO_SUCH_QUEUE, NO_SUCH_LABEL, EMPTY, BAD_LABEL, BAD_COUNT, ITEM_TOO_LARGE = 2, 3, 4, 5, 6, 7


def same(found, expected):
    assert found == expected, f"{found!r:.200} is not {expected!r:.200}"


def run(q):
    same(q.id("letters"), NO_SUCH_LABEL)
    _, queue = q.create("letters")
    same(q.create("letters"), ("queue", queue))
    same(q.create(""), BAD_LABEL)
    same(q.id("letters"), ("queue", queue))
    same(q.pop(queue), EMPTY)
    same(q.top(queue), EMPTY)
    same(q.push(queue, [b"a", b"", b"\xff\0"]), ("at", 1, 3))
    same(q.push(queue, []), BAD_COUNT)
    same(q.top(queue), (1, b"a"))
    same(q.size(queue), ("ready", 3))
    same(q.pop(queue), (1, [b"a"]))
    same(q.pop(queue, 10), (2, [b"", b"\xff\0"]))
    for number in range(30):
        same(q.push(queue, [b"%d" % number]), ("at", 4 + number, 1))
    for number in range(30):
        same(q.pop(queue), (4 + number, [b"%d" % number]))
    large = os.urandom(1 << 20)
    same(q.push(queue, [large]), ("at", 34, 1))
    assert q.top(queue) == (34, large) and q.pop(queue) == (34, [large])
    same(q.push(queue, [large + b"x"]), ITEM_TOO_LARGE)
    same(q.ids("invoice", 1), ("from", 1, 1))
    same(q.ids("invoice", 10), ("from", 2, 10))
    same(q.summary()[0][:3], [1, 1, 0])
    same(q.destroy(queue), "destroyed")
    same(q.destroy(queue), NO_SUCH_QUEUE)
    same(q.size(queue), NO_SUCH_QUEUE)
    print("every operation did what it should")


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
