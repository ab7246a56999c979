"""The messages and stubs of the protocol, generated from proto/pilothouse/v1 when the package is built.

An implementation detail of the package pilothouse: its own classes never show them.
"""
