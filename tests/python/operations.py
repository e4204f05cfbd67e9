"""Every operation on a real cluster: operations.py HOST:PORT … [--key FILE] [--loss 0.2]."""

import argparse
import os

import msgpack
from ftq import Client, Key

NO_SUCH_QUEUE, NO_SUCH_LABEL, EMPTY, BAD_LABEL, BAD_COUNT, ITEM_TOO_LARGE = 2, 3, 4, 5, 6, 7
QUEUE_FULL, PAUSED, NO_SUCH_LEASE, BAD_OPTION, NOT_A_STEP = 11, 12, 13, 14, 16


def same(found, expected):
    assert found == expected, f"{found!r:.300} is not {expected!r:.300}"


class Operations:
    """Executes commands and asks questions, as they stand in the page's tables."""

    def __init__(self, client):
        self.client = client

    def do(self, *command):
        return msgpack.unpackb(self.client.command(msgpack.packb(list(command))))

    def ask(self, *question, local=False):
        return msgpack.unpackb(self.client.question(msgpack.packb(list(question)), local))


def queues_and_items(q):
    same(q.ask(1, "letters"), [0, NO_SUCH_LABEL])
    kind, queue = q.do(1, "letters")
    same(kind, 1)
    same(q.do(1, "letters"), [1, queue])
    same(q.do(1, ""), [0, BAD_LABEL])
    same(q.ask(1, "letters"), [1, queue])
    same(q.do(4, queue, 1, 0), [0, EMPTY])
    same(q.do(4, queue, 1, 50), [0, EMPTY])
    same(q.ask(2, queue), [0, EMPTY])
    same(q.do(3, queue, [b"a", b"", b"\xff\0"]), [3, 1, 3])
    same(q.do(3, queue, []), [0, BAD_COUNT])
    same(q.ask(2, queue), [5, 1, b"a"])
    same(q.ask(3, queue), [6, 3, 0, 0])
    same(q.do(4, queue, 1, 0), [4, [[1, b"a"]]])
    same(q.do(4, queue, 10, 0), [4, [[2, b""], [3, b"\xff\0"]]])
    for number in range(20):
        same(q.do(3, queue, [b"%d" % number]), [3, 4 + number, 1])
    for number in range(20):
        same(q.do(4, queue, 1, 0), [4, [[4 + number, b"%d" % number]]])
    large = os.urandom(1 << 20)
    same(q.do(3, queue, [large]), [3, 24, 1])
    assert q.ask(2, queue) == [5, 24, large] and q.do(4, queue, 1, 0) == [4, [[24, large]]]
    same(q.do(3, queue, [large + b"x"]), [0, ITEM_TOO_LARGE])
    return queue


def options(q, queue):
    same(q.do(3, queue, [b"late"], 4, 0, None, None)[0], 3)
    same(q.do(3, queue, [b"first"], 0, 0, 3_600_000, "key")[0], 3)
    pushed = q.do(3, queue, [b"again"], 0, 0, None, "key")
    same((pushed[0], pushed[2]), (3, 1))
    same(q.do(3, queue, [b"x"], 8, 0, None, None), [0, BAD_OPTION])
    same(q.do(3, queue, [b"delayed"], 4, 3_600_000, None, None)[0], 3)
    same(q.ask(3, queue), [6, 2, 0, 1])
    kind, seen = q.ask(5, queue, 0, 0, 10)
    same((kind, [(priority, item) for priority, _, _, item in seen]), (10, [(0, b"first"), (4, b"late")]))
    same(q.do(12, queue), [2, 3])


def leases(q, queue):
    same(q.do(3, queue, [b"a", b"b", b"c"])[0], 3)
    kind, taken = q.do(6, queue, 2, 60_000, 0)
    same((kind, [item for *_, item in taken]), (9, [b"a", b"b"]))
    a, b = ([position, token] for position, token, _, _ in taken)
    same(q.ask(3, queue), [6, 1, 2, 0])
    same(q.do(9, queue, [a, b], 120_000), [2, 2])
    same(q.do(8, queue, [a], 0), [2, 1])
    same(q.do(7, queue, [b]), [2, 1])
    same(q.do(7, queue, [b]), [0, NO_SUCH_LEASE])
    kind, again = q.do(6, queue, 1, 60_000, 0)
    same((kind, again[0][2], again[0][3]), (9, 2, b"a"))
    _, other = q.do(1, "parcels")
    done = q.do(14, [[7, queue, [again[0][:2]]], [3, other, [b"a, done"]], [5, "steps", 1]])
    same(done, [13, [[2, 1], [3, 1, 1], [7, 1, 1]]])
    same(q.do(14, [[4, queue, 1, 0]]), [0, NOT_A_STEP])
    same(q.do(4, other, 1, 0), [4, [[1, b"a, done"]]])
    return other


def settings(q, queue, other):
    same(q.do(11, queue, True)[0], 2)
    same(q.do(4, queue, 1, 0), [0, PAUSED])
    same(q.do(11, queue, False)[0], 2)
    same(q.do(10, queue, 2, None, 1, other, 60_000)[0], 2)
    same(q.do(3, queue, [b"d", b"e"]), [0, QUEUE_FULL])
    _, taken = q.do(6, queue, 1, 60_000, 0)
    same(taken[0][3], b"c")
    same(q.do(8, queue, [taken[0][:2]], 0), [2, 1])
    same(q.ask(2, other)[2], b"c")
    same(q.do(13, other, 10), [2, 1])
    same(q.ask(2, queue)[2], b"c")
    statistics = q.ask(6, queue)
    same((statistics[:5], statistics[-5:]), ([11, "letters", 1, 0, 0], [2, None, 1, other, 60_000]))


def the_rest(q, queue, other, admin):
    same(q.do(5, "invoice", 1), [7, 1, 1])
    same(q.do(5, "invoice", 10), [7, 2, 10])
    same(q.ask(8, "invoice"), [7, 12, 0])
    same(q.ask(7, 0, 10), [12, [[queue, "letters"], [other, "parcels"]]])
    same(q.ask(4)[:4], [8, 2, 2, 1])
    if admin:
        same(q.do(15, 1 << 20, 1 << 30)[0], 2)
    same(q.do(2, queue), [2, 1])
    same(q.do(2, queue), [0, NO_SUCH_QUEUE])
    same(q.ask(3, queue), [0, NO_SUCH_QUEUE])
    same(q.ask(3, other, local=True)[0], 6)
    q.client.close()
    same(q.do(2, other), [2, 0])


def the_cluster(q):
    status = q.ask(64, local=True)
    kind, me, state, view, proposer, members, ring, _, voters, heard, end, committed, applied, _, digest, peers = status[:16]
    same((kind, state, members, voters), (64, 0, voters, list(range(1, len(voters) + 1))))
    assert me in heard and proposer in members and set(ring) <= set(members) and view > 0
    assert end >= committed >= applied > 0 and len(digest) == 16
    same(sorted([me] + [peer[0] for peer in peers]), voters)
    assert all(len(peer) == 7 and peer[5] is True for peer in peers)
    same(q.ask(65, 1, me, local=True), [65, 1])
    same(q.ask(65, 2, 63, local=True), [65, 2])
    same(q.ask(65, 1, 63, local=True), [65, 5])
    same(q.ask(65, 3, me, 63, local=True), [65, 5])
    same(q.ask(65, 4, me, local=True), [0, 1])
    same(q.ask(72, local=True), [0, 1])
    same(q.ask(65, 1, me, status[7], local=True), [65, 1])
    same(status[16:18], [[], []])


def the_log(q):
    """All of the log, a page after the other: what was done stands there, in its order."""
    place, slots = [1, 0], []
    while True:
        kind, applied, slot, position, page = q.ask(67, *place, local=True)
        same(kind, 67)
        slots += page
        place = [slot, position]
        if slot > applied:
            break
    numbers = [slot[0] for slot in slots]
    assert numbers == sorted(numbers) and numbers[0] == 1
    requests = [request for slot in slots for request in slot[7]]
    commands = [msgpack.unpackb(command) for _, _, kind, _, _, size, command in requests if kind == 2 and size == len(command)]
    creations = [command for command in commands if command[0] == 1]
    same(creations[0], [1, "letters"])
    assert any(size > len(command) for _, _, _, _, _, size, command in requests), "a large item is cut off"
    same([slot[6] for slot in slots if slot[6] is not None][0][2], True)


def the_replica(q):
    kind, me, runs, views = q.ask(66, local=True)
    assert kind == 66 and runs > 0 and views, "it is in a view"
    number, proposer, members, ring, begins, _, _, ago, took, lasted = views[-1]
    assert proposer in members and set(ring) <= set(members) and begins >= 1 and ago <= runs and number > 0
    assert took is not None and lasted is None
    # Another replica answers when one is slow, and has perhaps taken none yet.
    slot = 0
    while slot == 0:
        taken = q.ask(69, local=True)
        assert taken[0] == 69 and taken[1] in (0, 1), taken
        kind, who, applied, slot, durable, digest, state, _, pieces, size, every = q.ask(68, local=True)
    assert kind == 68 and applied >= slot and len(digest) == len(state) == 16 and pieces > 0 and size > 0 and every > 0
    assert durable <= slot and who > 0 and me > 0
    kind, _, clients, named = q.ask(70, 0, local=True)
    assert kind == 70 and clients == len(named) and all(role in ("read", "write", "admin") for _, role in named)
    kind, version, text = q.ask(71, local=True)
    assert kind == 71 and version.startswith("ftqd ") and "me = " in text


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("servers", nargs="+")
    arguments.add_argument("--key")
    arguments.add_argument("--loss", type=float, default=0.0)
    told = arguments.parse_args()
    servers = [(host, int(port)) for host, port in (server.rsplit(":", 1) for server in told.servers)]
    key = Key.read(told.key) if told.key else None
    q = Operations(Client(servers, key, told.loss))
    queue = queues_and_items(q)
    options(q, queue)
    other = leases(q, queue)
    settings(q, queue, other)
    the_rest(q, queue, other, admin=True)
    the_cluster(q)
    the_log(q)
    the_replica(q)
    print("every operation did what it should")


if __name__ == "__main__":
    main()
