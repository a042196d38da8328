"""The soak: a gateway of several workers under mixed load and faults, and what may neither grow nor get lost."""
