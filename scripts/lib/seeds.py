"""Seeds derive from names: the same names give the same seed on every machine, in every process."""

import hashlib


def seed_of(*names: object) -> int:
    """A 63-bit seed from any names, e.g. ``seed_of("bos-Wren-small-t1.0", 17)``.

    Names are joined by a unit separator, so that ("ab", "c") and ("a", "bc") differ.
    """
    text = "\x1f".join(str(name) for name in names)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
