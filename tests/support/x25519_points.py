"""Curve25519 in plain integers, by the formulas of RFC 7748: an oracle for tests, and points that attackers send."""

PRIME = 2**255 - 19
COEFFICIENT = 486662

# All u coordinates whose points have an order that divides 8, and no other; https://cr.yp.to/ecdh.html#validate
OF_SMALL_ORDER = {
    "order 2, all zeros": 0,
    "order 4": 1,
    "order 8": 325606250916557431795983626356110631294008115727848805560023387167927233504,
    "order 8, the other": 39382357235489614581723060781553021112529911719440698176882885853963445705823,
    "order 4 on the twist": PRIME - 1,
}


def encode(u):
    return u.to_bytes(32, "little")


def decode(element):
    return int.from_bytes(element, "little")


def is_square(value):
    return pow(value, (PRIME - 1) // 2, PRIME) == 1


def is_of_curve(u):
    return is_square((u**3 + COEFFICIENT * u**2 + u) % PRIME)


def inverse(u):
    return pow(u, PRIME - 2, PRIME)


def clamped(key):
    return (decode(key) & ((1 << 254) - 8)) | (1 << 254)


def multiple(scalar, u):
    """The u coordinate of a multiple of a point of the curve or its twist: the ladder of RFC 7748, section 5."""
    x2, z2, x3, z3 = 1, 0, u, 1
    for bit in range(scalar.bit_length() - 1, -1, -1):
        swap = scalar >> bit & 1
        if swap:
            x2, z2, x3, z3 = x3, z3, x2, z2
        total, difference = (x2 + z2) % PRIME, (x2 - z2) % PRIME
        one, other = (x3 - z3) * total % PRIME, (x3 + z3) * difference % PRIME
        x3, z3 = (one + other) ** 2 % PRIME, u * (one - other) ** 2 % PRIME
        squared, squared_difference = total**2 % PRIME, difference**2 % PRIME
        both = squared - squared_difference
        x2, z2 = squared * squared_difference % PRIME, both * (squared + (COEFFICIENT - 2) // 4 * both) % PRIME
        if swap:
            x2, z2, x3, z3 = x3, z3, x2, z2
    return x2 * inverse(z2) % PRIME
