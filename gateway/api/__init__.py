"""The two HTTP surfaces: the applications' API and the operations API. Thin."""
