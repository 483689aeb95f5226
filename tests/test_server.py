"""The proxy on a real loop: what ends it."""

from __future__ import annotations

import asyncio
import os

from ksrcore.server import _until_eof


def test_standard_input_that_ended_is_read_no_more() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        ours, theirs = os.pipe()
        try:
            loop.add_reader(ours, _until_eof, loop, ours, stopping)
            os.write(theirs, b"x")
            await asyncio.sleep(0.01)
            assert not stopping.is_set()
            os.close(theirs)
            await asyncio.wait_for(stopping.wait(), 5)
            assert not loop.remove_reader(ours)
        finally:
            os.close(ours)

    asyncio.run(main())
