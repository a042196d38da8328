"""One request's way, in the order it happens.

admission -> assignment -> shaping -> attempts -> relay -> settlement, with mirror beside it; exchange holds them
together. Nothing here knows an event loop, a socket or a clock: events come in by method call, acts go out through the
ports of `gateway.core.ports`, and the time is an argument.
"""
