"""The rules of Pinion: pure and synchronous. No I/O, clock, randomness, environment or logging may be here."""
