"""Characters that nobody can guess, for keys and tokens."""

import secrets

from gateway.core.api_key import ALPHABET


def random_characters(count: int) -> str:
    """Draw so many characters of base 62, each one 5.95 bits, from the system's source for secrets."""
    return "".join(secrets.choice(ALPHABET) for _ in range(count))
