"""Makes the lines of net/vectors.txt, or, with its path, checks that it has them."""

import sys

import msgpack
from ftq import Key, Seal

NONCE = b"0123456789abcdef"
CR, SR, SECRET = bytes(range(16)), bytes(range(100, 124)), bytes([1] * 32)

REQUESTS = [
    [1, NONCE, 5],
    [2, 0x10003, 300, 299, 70000, b"do"],
    [3, 2**64 - 1, True, 5, b"ask"],
    [3, 7, False, 0, b""],
    [4, 9, 5],
    [4, 0x10003, 5],
    [3, 5, True, 5, msgpack.packb([64])],
    [3, 6, True, 5, msgpack.packb([65, 1, 4])],
    [3, 6, True, 5, msgpack.packb([65, 2, 2])],
    [3, 6, True, 5, msgpack.packb([65, 3, 2, 4])],
    [3, 6, True, 5, msgpack.packb([65, 1, 4, 7])],
    [3, 6, True, 5, msgpack.packb([65, 3, 2, 4, 300])],
    [3, 66, True, 5, msgpack.packb([66])],
    [3, 67, True, 5, msgpack.packb([67, 300, 2])],
    [3, 68, True, 5, msgpack.packb([68])],
    [3, 69, True, 5, msgpack.packb([69])],
    [3, 70, True, 5, msgpack.packb([70, 256])],
    [3, 71, True, 5, msgpack.packb([71])],
]
PEERS = [[2, None, 0, 0, 0, True, 0], [3, 1_500, 9, 300, 299, False, 12]]
STATUS = [64, 1, 2, 9, 2, [1, 2], [1], 4, [1, 2, 3], [1, 3], 301, 300, 299, 5, bytes(range(16)), PEERS, [[3, 1_500]], [2]]
VIEWS = [
    [8, 1, [1, 2, 3], [1, 2, 3], 1, 0, [], 90_000, 25, 60_000],
    [9, 2, [1, 2], [1], 251, 2, [3], 30_000, None, None],
]
COMMAND = msgpack.packb([3, 1, [b"item"]])
SLOTS = [
    [299, 9, 2, 12_000, bytes(range(16)), 0, [4, [1, 2, 3], True], []],
    [300, 9, 2, 12_001, bytes(range(16)), 4, None, [
        [2, 1, 1, 0x12C0002, None, 0, b""],
        [3, 3, 2, 0x10003, 300, len(COMMAND), COMMAND],
    ]],
]
ANSWERS = [
    [1, NONCE, 9],
    [2, 9, 2, 700, 1, [0, b"ok"]],
    [2, 9, 2, 700, 1, [1]],
    [2, 9, 2, 700, 1, [2]],
    [2, 9, 2, 700, 1, [3]],
    [3, 1, 7, b""],
    [4, [2, 9, 2], [1]],
    [4, [3, 4], [2, 20]],
    [4, [2, 9, 2], [3]],
    [4, [1, NONCE], [4]],
    [5, [1, NONCE]],
    [5, [4, 9]],
    [8, 9],
    [5, [4, 9]],
    [8, 9],
    [3, 5, 299, msgpack.packb(STATUS)],
    [3, 6, 299, msgpack.packb([65, 0, 7])],
    [3, 6, 299, msgpack.packb([65, 9])],
    [3, 66, 299, msgpack.packb([66, 1, 100_000, VIEWS])],
    [3, 67, 300, msgpack.packb([67, 300, 301, 0, SLOTS])],
    [3, 68, 299, msgpack.packb([68, 1, 299, 250, 200, bytes(range(16)), bytes(range(16)), 5_000, 3, 70_000, 10_000])],
    [3, 69, 299, msgpack.packb([69, 0, 250])],
    [3, 70, 0, msgpack.packb([70, 1, 2, [["app", "write"], ["watch", "read"]]])],
    [3, 71, 0, msgpack.packb([71, "ftqd 1", "me = 1\n"])],
]
PIECES = [[6, 1, 0, 2, bytes(512)], [6, 300, 1, 2, b"end"], [7, 1, 0, b"\x02"], [7, 1, 2, b""]]
REFUSED = [
    ("", "nothing"),
    ("01", "no array"),
    ("90", "an empty array"),
    ("9101", "too short an array"),
    ("9309 01 01", "an unknown kind"),
    ("93cd01000101", "kind 256"),
    ("ddffffffff01", "four thousand million fields"),
    ("9301c6ffffffff", "a nonce of 4 GiB"),
    ("9301c4016105", "a nonce of one byte"),
    ("95030101 05c400", "1 is not true"),
    ("9503ffc305c400", "a negative nonce"),
    ("950301c305a0", "text is not bytes"),
    ("950301c305c40000", "something follows"),
    ("960201010105c403646f", "a command that is cut short"),
    ("9391" * 40, "arrays in arrays"),
    ("8201020102", "a map"),
]


def meaning(value):
    """A value as text: bytes as h'…'."""
    if isinstance(value, bytes):
        return f"h'{value.hex()}'"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(meaning(field) for field in value) + "]"
    return str(value)


def lines():
    yield "# Test vectors of the client protocol, version 1 (PROTOCOL.md): hex in, meaning out."
    yield "# In a meaning h'…' is bin. Made by tests/python/vectors.py and read by the tests of both languages."
    for what, messages in (("request", REQUESTS), ("answer", ANSWERS), ("payload", PIECES)):
        yield f"\n# {what}: hex, meaning"
        for message in messages:
            yield f"{what} {msgpack.packb(message).hex()} {meaning(message)}"
    yield "\n# refused: hex of what is no request (- is nothing), and why"
    for data, why in REFUSED:
        yield f"refused {data.replace(' ', '') or '-'} {why}"
    key = Key("app", SECRET)
    yield "\n# A channel: what both sides know, and the datagrams of each with their payloads"
    yield f"key client app write {SECRET.hex()}"
    yield f"client-random {CR.hex()}"
    yield f"server-random {SR.hex()}"
    yield f"hello {key.hello(CR)[:-98].hex()} (and the padding)"
    proof = key.proof(b"welcome\x01" + CR + SR)
    yield f"welcome {msgpack.packb([17, 1, CR, SR, proof]).hex()}"
    client, server = Seal(key, CR, SR), Seal(key, CR, SR, client=False)
    yield f"channel {client.channel.hex()}"
    request, answer = msgpack.packb(REQUESTS[1]), msgpack.packb(ANSWERS[1])
    yield f"from-client {request.hex()} {client.seal(request).hex()}"
    client.known = server.known = True
    yield f"from-client {request.hex()} {client.seal(request).hex()}"
    yield f"from-server {answer.hex()} {server.seal(answer).hex()}"


def main():
    text = "\n".join(lines()) + "\n"
    if len(sys.argv) < 2:
        sys.stdout.write(text)
    elif open(sys.argv[1], encoding="utf-8").read() != text:
        sys.exit(f"{sys.argv[1]} does not have these lines")


if __name__ == "__main__":
    main()
