"""A client of ftq, written from net/PROTOCOL.md alone, so that the page stays true."""

import hashlib
import hmac
import os
import random
import select
import socket
import time

import msgpack
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

PIECE, RECEIPT, HELLO, WELCOME, FIRST, SEALED = 6, 7, 16, 17, 18, 19
WINDOW_BYTES = 96 * 1024


class Refused(Exception):
    """Not done: every copy was refused."""


class Unknown(Exception):
    """No answer in time: it may have been done, once."""


class Expired(Exception):
    """Not done: the session is gone."""


def unpack(data):
    return msgpack.unpackb(data, raw=False, strict_map_key=False)


def expand(prk, info, length):
    return HKDFExpand(algorithm=hashes.SHA256(), length=length, info=info).derive(prk)


class Key:
    """A named key, as a key file has it."""

    def __init__(self, name, secret):
        self.name = name
        self.prk = hmac.new(b"ftq client 1", secret, hashlib.sha256).digest()
        self.proof_key = expand(self.prk, b"proof", 32)

    @staticmethod
    def read(path):
        for line in open(path, encoding="utf-8"):
            words = line.split()
            if words and not words[0].startswith("#"):
                kind, name, _role, secret = words
                assert kind == "client"
                return Key(name, bytes.fromhex(secret))
        raise ValueError(f"{path}: no key")

    def proof(self, said):
        return hmac.new(self.proof_key, said, hashlib.sha256).digest()[:16]

    def hello(self, cr):
        proof = self.proof(b"hello\x01" + cr + self.name.encode())
        return msgpack.packb([HELLO, 1, self.name, cr, proof, bytes(96)])


class Seal:
    """The keys of one channel, as the client or the server has them."""

    def __init__(self, key, cr, sr, client=True):
        self.key, self.cr, self.sr = key, cr, sr
        to_server, to_client = (
            ChaCha20Poly1305(expand(key.prk, direction + cr + sr, 32)) for direction in (b"to server", b"to client")
        )
        self.ours, self.theirs = (to_server, to_client) if client else (to_client, to_server)
        self.channel = expand(key.prk, b"channel" + cr + sr, 8)
        self.number, self.seen, self.known = 0, set(), False

    def seal(self, payload):
        self.number += 1
        sealed = self.ours.encrypt(bytes(4) + self.number.to_bytes(8, "big"), payload, self.channel)
        if self.known:
            return msgpack.packb([SEALED, self.channel, self.number, sealed])
        return msgpack.packb([FIRST, self.key.name, self.cr, self.sr, self.number, sealed])

    def open(self, number, sealed):
        payload = self.theirs.decrypt(bytes(4) + number.to_bytes(8, "big"), sealed, self.channel)
        if number in self.seen:
            return None
        self.seen.add(number)
        return payload


class Pieces:
    """One long message on its way to the server."""

    def __init__(self, transfer, message, size):
        self.transfer = transfer
        self.pieces = [message[at : at + size] for at in range(0, len(message), size)]
        self.window = max(2, WINDOW_BYTES // size)
        self.there, self.sent_at = set(), {}
        self.upto = self.next = 0
        self.pause, self.due = 0.04, time.monotonic() + 0.04

    def piece(self, index):
        self.sent_at[index] = time.monotonic()
        return msgpack.packb([PIECE, self.transfer, index, len(self.pieces), self.pieces[index]])

    def missing(self, below):
        return [index for index in range(self.upto, below) if index not in self.there]

    def receipt(self, upto, bits):
        before = len(self.there)
        self.there.update(range(self.upto, upto))
        self.there.update(upto + n for n in range(8 * len(bits)) if bits[n // 8] & 1 << n % 8)
        while self.upto in self.there:
            self.upto += 1
        if len(self.there) > before:
            self.pause, self.due = 0.04, time.monotonic() + 0.04
        quiet = time.monotonic() - 0.01
        gaps = [i for i in self.missing(max(self.there, default=0)) if self.sent_at.get(i, 0) <= quiet]
        return [self.piece(index) for index in gaps] + self.fresh()

    def fresh(self):
        out = []
        while self.next < len(self.pieces) and self.next - self.upto < self.window:
            out.append(self.piece(self.next))
            self.next += 1
        return out

    def tick(self):
        if time.monotonic() < self.due:
            return []
        self.pause = min(2 * self.pause, 0.64)
        self.due = time.monotonic() + self.pause
        return [self.piece(index) for index in self.missing(self.next)[:8]]


class Line:
    """What is said to one replica: plain if there is no key."""

    def __init__(self, key, datagram):
        self.key, self.size = key, datagram - (200 if key else 0)
        self.seal = self.cr = None
        self.hello_at = 0
        self.silent_since = None
        self.waiting = []
        self.transfers, self.last = {}, 0
        self.parts, self.done = {}, set()

    def send(self, name, message):
        """The datagrams that say a message."""
        out = []
        now = time.monotonic()
        if self.key and not self.seal:
            self.waiting.append((name, message))
        else:
            out += self.say(name, message)
            self.silent_since = self.silent_since or now
        silent = self.silent_since and now - self.silent_since >= 0.4
        if self.key and (not self.seal or silent) and now - self.hello_at >= 0.05:
            self.hello_at = now
            self.cr = self.cr or os.urandom(16)
            out.append(self.key.hello(self.cr))
        return out

    def say(self, name, message):
        if len(message) <= self.size:
            return [self.wrap(message)]
        if name in self.transfers:
            return []
        self.last += 1
        self.transfers[name] = Pieces(self.last, message, self.size - 32)
        return [self.wrap(piece) for piece in self.transfers[name].fresh()]

    def wrap(self, payload):
        return self.seal.seal(payload) if self.seal else payload

    def tick(self):
        return [self.wrap(piece) for pieces in self.transfers.values() for piece in pieces.tick()]

    def receive(self, datagram):
        """What a datagram makes us send, and the message that it is or completes."""
        fields = unpack(datagram)
        if self.key:
            if fields[0] == WELCOME:
                return self.welcome(*fields[1:]), None
            if fields[0] != SEALED or not self.seal or fields[1] != self.seal.channel:
                return [], None
            try:
                payload = self.seal.open(fields[2], fields[3])
            except InvalidTag:
                return [], None
            if payload is None:
                return [], None
            self.seal.known, self.silent_since = True, None
            fields = unpack(payload)
        if fields[0] == PIECE:
            return self.piece(*fields[1:])
        if fields[0] == RECEIPT:
            return [self.wrap(piece) for piece in self.receipt(*fields[1:])], None
        return [], fields

    def welcome(self, version, cr, sr, proof):
        right = self.key.proof(b"welcome" + bytes([version]) + cr + sr)
        if version != 1 or cr != self.cr or not hmac.compare_digest(proof, right):
            return []
        self.seal, self.cr, self.silent_since = Seal(self.key, cr, sr), None, None
        self.transfers, self.parts = {}, {}
        waiting, self.waiting = self.waiting, []
        return [datagram for name, message in waiting for datagram in self.say(name, message)]

    def receipt(self, transfer, upto, bits):
        for name, pieces in list(self.transfers.items()):
            if pieces.transfer == transfer:
                if upto == len(pieces.pieces):
                    del self.transfers[name]
                    return []
                return pieces.receipt(upto, bits)
        return []

    def piece(self, transfer, index, count, data):
        if transfer in self.done:
            return [self.wrap(msgpack.packb([RECEIPT, transfer, count, b""]))], None
        part = self.parts.setdefault(transfer, {})
        fresh = index not in part
        part[index] = data
        if len(part) == count:
            del self.parts[transfer]
            self.done.add(transfer)
            whole = b"".join(part[index] for index in range(count))
            return [self.wrap(msgpack.packb([RECEIPT, transfer, count, b""]))], unpack(whole)
        if fresh and len(part) % min(8, max(1, 32768 // len(data))) and index + 1 < count:
            return [], None
        upto = next(index for index in range(count) if index not in part)
        bits = bytearray(32)
        for index in part:
            if 0 <= index - upto < 256:
                bits[(index - upto) // 8] |= 1 << (index - upto) % 8
        return [self.wrap(msgpack.packb([RECEIPT, transfer, upto, bytes(bits).rstrip(b"\0")]))], None

    def forget(self, name):
        self.transfers.pop(name, None)


class Client:
    """A client of some replicas. `loss` is how many of its datagrams are lost, on the way in and on the way out."""

    def __init__(self, servers, key=None, loss=0.0, datagram=1400, timeout=30.0):
        self.servers, self.loss, self.timeout = servers, loss, timeout
        self.lines = {server: Line(key, datagram) for server in servers}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.chance = random.Random(7)
        self.session, self.last = None, 0
        self.preferred = 0

    def command(self, command):
        """Executes a command once; its answer."""
        if self.session is None:
            nonce = os.urandom(16)
            answer = self.ask((1, nonce), lambda wait: [1, nonce, wait])
            self.session, self.last = answer[2], 0
        self.last += 1
        session, number = self.session, self.last
        answer = self.ask((2, session, number), lambda wait: [2, session, number, number - 1, wait, command])
        _kind, _session, _number, self.slot, self.position, outcome = answer[:6]
        if outcome[0] == 0:
            return outcome[1]
        self.session = None
        raise Expired(outcome)

    def close(self):
        """Closes the session; the next command opens another one."""
        session, self.session = self.session, None
        self.ask((4, session), lambda wait: [4, session, wait])

    def question(self, question, local=False):
        """The answer to a question."""
        nonce = random.getrandbits(64)
        answer = self.ask((3, nonce), lambda wait: [3, nonce, local, wait, question])
        self.slot = answer[2]
        return answer[3]

    def ask(self, name, message):
        """Sends a request, to one replica after the other, until it is answered."""
        deadline = time.monotonic() + self.timeout
        pause, tries, moves, copies, refused = 0.1, 0, 0, 0, 0
        due = time.monotonic()
        while time.monotonic() < deadline:
            if time.monotonic() >= due:
                if tries == 2:
                    self.preferred, tries = self.preferred + 1, 0
                server = self.servers[self.preferred % len(self.servers)]
                wait = int((deadline - time.monotonic()) * 1000) + 1
                self.send(server, self.lines[server].send(name, msgpack.packb(message(wait))))
                tries, copies = tries + 1, copies + 1
                due = time.monotonic() + pause * self.chance.uniform(0.75, 1.25)
                pause = min(2 * pause, 1.0)
            for server, answer in self.receive(min(due, deadline) - time.monotonic()):
                kind = answer[0]
                names = {1: (1, answer[1]), 2: (2, *answer[1:3]), 3: (3, answer[1]), 8: (4, answer[1])}
                if names.get(kind) == name:
                    if kind == 2 and answer[5][0] == 3:
                        continue
                    self.lines[server].forget(name)
                    return answer
                if kind in (4, 5) and tuple(answer[1]) == name:
                    refused += kind == 4
                    if kind == 4 and answer[2][0] in (3, 4):
                        if refused >= copies:
                            raise Refused(answer[2])
                    elif kind == 4 and answer[2][0] == 2:
                        due, tries = time.monotonic() + answer[2][1] / 1000, 0
                    else:
                        self.preferred, tries, moves = self.preferred + 1, 0, moves + 1
                        due = time.monotonic() + (pause if moves % len(self.servers) == 0 else 0)
        if copies == refused:
            raise Refused(name)
        raise Unknown(name)

    def receive(self, wait):
        """Messages that came within so long."""
        ready, _, _ = select.select([self.socket], [], [], max(0, min(wait, 0.02)))
        for server, line in self.lines.items():
            self.send(server, line.tick())
        if not ready:
            return
        datagram, server = self.socket.recvfrom(65536)
        if server not in self.lines or self.chance.random() < self.loss:
            return
        out, message = self.lines[server].receive(datagram)
        self.send(server, out)
        if message is not None:
            yield server, message

    def send(self, server, datagrams):
        for datagram in datagrams:
            if self.chance.random() >= self.loss:
                self.socket.sendto(datagram, server)
