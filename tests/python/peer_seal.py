"""The golden bytes of the seal between replicas, made by another implementation than ours."""

import hashlib
import hmac
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

CLUSTER, SENDER, BOOT, NUMBER, FRAMES = bytes([1] * 16), 2, bytes([9] * 16), 5, b"frames"


def extract(salt, secret):
    return hmac.new(salt, secret, hashlib.sha256).digest()


def expand(prk, info, length):
    return HKDFExpand(algorithm=hashes.SHA256(), length=length, info=info).derive(prk)


def main():
    prk = extract(b"ftq replica 1", bytes([1] * 32))
    tag = expand(prk, b"name" + CLUSTER, 4)
    boots = extract(b"ftq boot 1", expand(prk, b"cluster" + CLUSTER, 32))
    key = expand(boots, bytes([SENDER]) + BOOT, 32)
    header = bytes([1] * 9 + [SENDER]) + BOOT + NUMBER.to_bytes(8, "little") + bytes([1] * 8)
    nonce = bytes(4) + NUMBER.to_bytes(8, "little")
    print((tag + header + ChaCha20Poly1305(key).encrypt(nonce, FRAMES, tag + header)).hex())


if __name__ == "__main__":
    main()
