"""The public benchmark: Pinion and its peers, one core each, in interleaved rounds.

`loadtests/throughput.py` starts it.
"""
