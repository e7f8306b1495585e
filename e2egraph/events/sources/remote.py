"""Reading ROOT files from a server, failures told as they are."""

from __future__ import annotations

import asyncio
import queue
from concurrent.futures import Future

from uproot.source.chunk import Chunk
from uproot.source.coalesce import coalesce_requests
from uproot.source.fsspec import FSSpecSource


class RemoteSource(FSSpecSource):
    """uproot's own source of remote files, but that a request which fails raises what the server or network said.

    uproot takes the error that fsspec returns in place of the bytes for bytes, and fails on it with a TypeError.
    """

    def chunks(self, ranges: list[tuple[int, int]], notifications: queue.Queue) -> list[Chunk]:
        """Chunks of the file, which are filled as their requests are answered."""
        self._num_requests += 1
        self._num_requested_chunks += len(ranges)
        self._num_requested_bytes += sum(stop - start for start, stop in ranges)

        def submit(requested: list[tuple[int, int]]) -> Future:
            return self._executor.submit(self._read(requested))

        return coalesce_requests(ranges, submit, self, notifications, config=self._coalesce_config)

    async def _read(self, ranges: list[tuple[int, int]]) -> list[bytes]:
        paths = [self._file_path] * len(ranges)
        starts, ends = [start for start, _ in ranges], [stop for _, stop in ranges]
        if self._fs.async_impl:
            parts = await self._fs._cat_ranges(paths, starts, ends)
        else:
            parts = await asyncio.to_thread(self._fs.cat_ranges, paths, starts, ends)
        for part in parts:
            if isinstance(part, BaseException):
                raise part
        return parts
