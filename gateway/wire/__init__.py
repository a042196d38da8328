"""Bytes to meaning and back, without sockets: one module a dialect, plus the formats they share."""
