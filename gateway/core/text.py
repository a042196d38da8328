"""Text from elsewhere: what people and providers wrote, as every database and every answer can carry it."""


def storable(text: str) -> str:
    """Give a text with `?` for what JSON may carry and a database may not: a NUL, or a lone surrogate."""
    if text.isprintable():
        return text
    return text.replace("\0", "?").encode(errors="replace").decode()
