"""The outside world, one module each. Foreign exceptions stop here."""
