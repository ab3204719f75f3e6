"""A load generator that speaks something else: it sends its own requests and reads as they need.

What is due when, how a connection begins, rests and ends, and what is written down of it stays with
`client.py`. A subclass makes a request's bytes (`_request`) and takes in what is answered
(`_received`). Reading stands here a second time so that the plain generator, whose rate is what
other loads are compared with, makes one call less for each answer.
"""

from __future__ import annotations

import os
from typing import Final

from simulator.clock import monotonic_ns
from simulator.live.client import LoadClient
from simulator.records import NOT_YET, Ending

_READ_BYTES: Final = 1 << 16


class ExchangeClient(LoadClient):
    """One generator process of requests and answers that are not those of `wire.py`."""

    def _received(self, fd: int, entry: list[int], data: bytes) -> None:
        """Bytes have come on a connection; counted already."""
        raise NotImplementedError

    def _readable(self, fd: int, entry: list[int]) -> None:
        try:
            data = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._ended(fd, entry, error.errno or 0)
            return
        if not data:
            self._ended(fd, entry, Ending.EOF)
            return
        self._rows["bytes_in"][entry[0]] += len(data)
        self._received(fd, entry, data)

    def _note_first_byte(self, row: int) -> None:
        """The first byte of a connection's first answer is here."""
        rows = self._rows
        if rows["first_byte_ns"][row] == NOT_YET:
            rows["first_byte_ns"][row] = monotonic_ns() - self.t0_ns

    def _note_answer(self, entry: list[int]) -> None:
        """An answer is whole."""
        rows = self._rows
        rows["answers"][entry[0]] = entry[3]
        rows["answered_ns"][entry[0]] = monotonic_ns() - self.t0_ns
