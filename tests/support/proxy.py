"""A link between a client and a server that tests and benchmarks can slow down and break."""

from __future__ import annotations

import asyncio
import enum
import math
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self, TypeVar, cast

HOST = "127.0.0.1"
MEBIBYTE = 2**20
SPARE_QUEUE_BYTES = 16 * MEBIBYTE
UNLIMITED_BYTES_PER_SECOND = 1024 * MEBIBYTE
SEGMENT_SECONDS = 0.001
LARGEST_WRITE_BYTES = MEBIBYTE // 4
WRITE_BUFFER_BYTES = MEBIBYTE
LINGER_ZERO = struct.pack("ii", 1, 0)

Result = TypeVar("Result")


class ByteCounts(NamedTuple):
    """Bytes of each direction."""

    to_server: int
    to_client: int


class TcpProxy:
    """A TCP proxy on a free port of 127.0.0.1 that can slow down and break connections.

    A message of n bytes arrives n / bytes_per_second + delay_seconds after it was sent, however many are on the way.
    Every connection and direction buffers the bytes under way and 16 MiB more, and then pauses the sender. Connecting
    has no delay: only bytes, ends of streams and resets of a peer have one.

    Args:
        upstream_port: the server's port on 127.0.0.1; may be changed, for connections that come afterwards.
        delay_seconds: latency of each byte, in both directions; may be changed, also for bytes under way.
        bytes_per_second: the bandwidth of each direction, which all connections share; None for no limit; may be
            changed.
    """

    def __init__(self, upstream_port: int, delay_seconds: float = 0.0, bytes_per_second: float | None = None) -> None:
        self.upstream_port = upstream_port
        self._conditions = _Conditions(_checked_delay(delay_seconds), _checked_limit(bytes_per_second))
        self._to_server = _Link(self._conditions)
        self._to_client = _Link(self._conditions)
        self._connections: set[_Connection] = set()
        self._port = 0
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port that clients connect to, from the first start on; a later start listens on the same one."""
        if not self._port:
            raise RuntimeError("the proxy has no port before it is started")
        return self._port

    @property
    def delay_seconds(self) -> float:
        """Latency of each byte, in either direction."""
        return self._conditions.delay_seconds

    @delay_seconds.setter
    def delay_seconds(self, seconds: float) -> None:
        self._conditions.delay_seconds = _checked_delay(seconds)
        if self._loop is not None:
            self._call(self._reconsider)

    @property
    def bytes_per_second(self) -> float | None:
        """Bandwidth of each direction, without a temporary cut; None for no limit."""
        return self._conditions.bytes_per_second

    @bytes_per_second.setter
    def bytes_per_second(self, bytes_per_second: float | None) -> None:
        self._conditions.bytes_per_second = _checked_limit(bytes_per_second)

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return len(self._connections)

    @property
    def forwarded_bytes(self) -> ByteCounts:
        """Bytes that the proxy has forwarded."""
        return ByteCounts(self._to_server.forwarded_bytes, self._to_client.forwarded_bytes)

    @property
    def queued_bytes(self) -> ByteCounts:
        """Bytes that are under way, or wait for bandwidth or a slow receiver."""
        if self._loop is None:
            return ByteCounts(0, 0)
        return self._call(self._count_queued)

    def start(self) -> None:
        """Listens, and forwards in a thread of its own until `stop`."""
        if self._loop is not None:
            raise RuntimeError("the proxy is running already")
        self._stopping = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy", daemon=True)
        self._thread.start()
        try:
            self._run(self._listen)
        except OSError:
            self._end_thread()
            raise

    def stop(self) -> None:
        """Closes the listener and every connection, and ends the thread."""
        if self._loop is None:
            return
        self._run(self._close)
        self._end_thread()

    def reset(self) -> int:
        """Resets both sides of every open connection, as a broken network does; returns how many."""
        return self._run(self._reset)

    def half_close(self) -> int:
        """Ends the stream to every client and forwards nothing more in either direction; returns how many.

        The server learns of it when its client closes in turn.
        """
        return self._call(lambda: sum([connection.half_close() for connection in self._connections]))

    def stall(self, seconds: float) -> None:
        """Pauses both directions for a while, and then forwards everything buffered; returns at once."""
        self._call(lambda: self._conditions.stall(_now() + seconds))

    def cut_bandwidth(self, bytes_per_second: float, seconds: float) -> None:
        """Lowers the bandwidth of each direction for a while; returns at once."""
        bandwidth = _checked_bandwidth(bytes_per_second)
        self._call(lambda: self._conditions.cut(bandwidth, _now() + seconds))

    def _run(self, make_step: Callable[[], Coroutine[None, None, Result]]) -> Result:
        """Runs a coroutine in the forwarding thread."""
        if self._loop is None:
            raise RuntimeError("the proxy is not running")
        return asyncio.run_coroutine_threadsafe(make_step(), self._loop).result()

    def _call(self, function: Callable[[], Result]) -> Result:
        """Calls a function between two steps of the forwarding thread."""

        async def step() -> Result:
            return function()

        return self._run(step)

    def _end_thread(self) -> None:
        if self._loop is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None

    async def _listen(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(self._accept, HOST, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def _accept(self) -> _Side:
        """Makes the protocol of one client's socket."""
        return _Connection(self).client

    async def _close(self) -> None:
        self._stopping = True
        if self._server is not None:
            self._server.close()
        while self._connections or len(asyncio.all_tasks()) > 1:
            for connection in self._connections:
                connection.abort()
            await asyncio.sleep(0)
        for link in (self._to_server, self._to_client):
            link.clear()

    async def _reset(self) -> int:
        broken = set(self._connections)
        for connection in broken:
            connection.reset()
        while broken & self._connections:
            await asyncio.sleep(0)
        return len(broken)

    def _reconsider(self) -> None:
        """Delivers the bytes that a shorter delay makes due."""
        for connection in self._connections:
            for flow in connection.flows:
                flow.deliver()

    def _count_queued(self) -> ByteCounts:
        return ByteCounts(
            sum(connection.to_server.queued_bytes for connection in self._connections),
            sum(connection.to_client.queued_bytes for connection in self._connections),
        )

    def _open_connection(self, connection: _Connection) -> asyncio.Task[None] | None:
        """Registers a client's connection and connects it to the server; returns None while the proxy is stopping."""
        self._connections.add(connection)
        if self._stopping:
            return None
        return asyncio.get_running_loop().create_task(connection.connect(self.upstream_port))

    def _forget_connection(self, connection: _Connection) -> None:
        self._connections.discard(connection)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _checked_delay(seconds: float) -> float:
    if not 0 <= seconds < math.inf:
        raise ValueError(f"a delay is a finite number of seconds, not {seconds}")
    return seconds


def _checked_limit(bytes_per_second: float | None) -> float | None:
    return None if bytes_per_second is None else _checked_bandwidth(bytes_per_second)


def _checked_bandwidth(bytes_per_second: float) -> float:
    if not 0 < bytes_per_second < math.inf:
        raise ValueError(f"a bandwidth is a finite number of bytes above 0, not {bytes_per_second}")
    return bytes_per_second


@dataclass
class _Conditions:
    """The conditions of the network, with the times until which they hold."""

    delay_seconds: float
    bytes_per_second: float | None
    cut_bytes_per_second: float = 0.0
    cut_until: float = -math.inf
    stalled_until: float = -math.inf

    def cut(self, bytes_per_second: float, until: float) -> None:
        """Limits the bandwidth until a time."""
        self.cut_bytes_per_second, self.cut_until = bytes_per_second, until

    def stall(self, until: float) -> None:
        """Holds everything back until a time, or until a later one that was set before."""
        self.stalled_until = max(self.stalled_until, until)

    def bandwidth(self, when: float) -> float | None:
        """The bytes per second at a time; None for no limit."""
        if when >= self.cut_until:
            return self.bytes_per_second
        if self.bytes_per_second is None:
            return self.cut_bytes_per_second
        return min(self.bytes_per_second, self.cut_bytes_per_second)

    def queue_limit_bytes(self) -> float:
        """The most that a flow may buffer: the bandwidth-delay product of its link, and some more."""
        bandwidth = self.bytes_per_second or UNLIMITED_BYTES_PER_SECOND
        return SPARE_QUEUE_BYTES + bandwidth * self.delay_seconds


class _Mark(enum.Enum):
    """An event of a connection, forwarded in order with its bytes."""

    END = enum.auto()
    RESET = enum.auto()


class _Chunk(NamedTuple):
    """Bytes or a mark, and the time of its arrival in the current queue."""

    since: float
    content: memoryview | _Mark


class _Link:
    """One direction, whose bandwidth the flows of all connections share in turns of a segment each."""

    def __init__(self, conditions: _Conditions) -> None:
        self.conditions = conditions
        self.forwarded_bytes = 0
        self._flows: deque[_Flow] = deque()
        self._free_at = -math.inf
        self._timer: asyncio.TimerHandle | None = None

    def line_up(self, flow: _Flow) -> None:
        """Adds a flow with waiting chunks to the round robin."""
        if flow not in self._flows:
            self._flows.append(flow)
        if self._timer is None:
            self._transmit()

    def leave(self, flow: _Flow) -> None:
        """Removes a flow without waiting chunks from the round robin."""
        if flow in self._flows:
            self._flows.remove(flow)

    def clear(self) -> None:
        """Cancels the timer, for a loop that ends."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _transmit(self) -> None:
        """Transmits what the bandwidth allowed until now."""
        self._timer = None
        now = _now()
        while self._flows:
            opens_at = max(self._free_at, self.conditions.stalled_until)
            if opens_at > now:
                self._timer = asyncio.get_running_loop().call_at(opens_at, self._transmit)
                return
            flow = self._flows.popleft()
            begins_at = max(opens_at, flow.waiting[0].since)
            bandwidth = self.conditions.bandwidth(begins_at)
            if bandwidth is None:
                content = flow.take(None)
                self._free_at = begins_at
            else:
                content = flow.take(max(1, int(bandwidth * SEGMENT_SECONDS)))
                self._free_at = begins_at + _size(content) / bandwidth
            if flow.waiting:
                self._flows.append(flow)
            flow.send_off(_Chunk(self._free_at, content))


def _size(content: memoryview | _Mark) -> int:
    return 0 if isinstance(content, _Mark) else len(content)


class _Flow:
    """One direction of one connection.

    Args:
        link: the direction that it shares.
        source: the side that it reads.
        destination: the side that it writes.
        when_ended: called when the end of the stream was passed on.
    """

    def __init__(self, link: _Link, source: _Side, destination: _Side, when_ended: Callable[[], None]) -> None:
        self.waiting: deque[_Chunk] = deque()
        self.queued_bytes = 0
        self.severed = False
        self.ended = False
        self._link = link
        self._source = source
        self._destination = destination
        self._when_ended = when_ended
        self._on_the_way: deque[_Chunk] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def carry(self, content: memoryview | _Mark) -> None:
        """Accepts bytes or a mark from the source; a severed flow accepts marks only."""
        if self._destination.lost or (self.severed and not isinstance(content, _Mark)):
            return
        self.waiting.append(_Chunk(_now(), content))
        self.queued_bytes += _size(content)
        self._link.line_up(self)
        if self.queued_bytes > self._link.conditions.queue_limit_bytes():
            self._source.pause_reading()

    def take(self, most_bytes: int | None) -> memoryview | _Mark:
        """Removes and returns the next waiting mark, or at most so many bytes."""
        since, content = self.waiting.popleft()
        if isinstance(content, _Mark) or most_bytes is None or len(content) <= most_bytes:
            return content
        self.waiting.appendleft(_Chunk(since, content[most_bytes:]))
        return content[:most_bytes]

    def send_off(self, chunk: _Chunk) -> None:
        """Schedules the delivery of a chunk whose transmission ends at its time."""
        self._on_the_way.append(chunk)
        if self._timer is None:
            self.deliver()

    def deliver(self) -> None:
        """Writes everything that is due to the destination, as far as it accepts it."""
        self._cancel_timer()
        conditions, now = self._link.conditions, _now()
        while self._on_the_way and self._destination.writable:
            due_at = max(self._on_the_way[0].since + conditions.delay_seconds, conditions.stalled_until)
            if due_at > now:
                self._timer = asyncio.get_running_loop().call_at(due_at, self.deliver)
                break
            content = self._on_the_way.popleft().content
            if isinstance(content, _Mark):
                self._deliver_mark(content)
            else:
                self._deliver_bytes(content, now - conditions.delay_seconds)
        if self.queued_bytes <= conditions.queue_limit_bytes():
            self._source.resume_reading()

    def sever(self) -> None:
        """Drops the queued bytes and all later ones; marks are still forwarded."""
        self.severed = True
        marks = [chunk.content for chunk in (*self._on_the_way, *self.waiting) if isinstance(chunk.content, _Mark)]
        self.drop()
        for mark in marks:
            self.carry(mark)
        self._source.resume_reading()

    def drop(self) -> None:
        """Drops what is queued."""
        self._cancel_timer()
        self._link.leave(self)
        self.waiting.clear()
        self._on_the_way.clear()
        self.queued_bytes = 0

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _deliver_bytes(self, first: memoryview, sent_by: float) -> None:
        """Writes bytes, with those behind them that were sent by the same time, in one piece of a bounded size."""
        parts, size = [first], len(first)
        while self._on_the_way and size < LARGEST_WRITE_BYTES:
            since, content = self._on_the_way[0]
            if isinstance(content, _Mark) or since > sent_by:
                break
            self._on_the_way.popleft()
            parts.append(content)
            size += len(content)
        self.queued_bytes -= size
        self._link.forwarded_bytes += size
        self._destination.write(first if len(parts) == 1 else b"".join(parts))

    def _deliver_mark(self, mark: _Mark) -> None:
        if mark is _Mark.RESET:
            self._destination.reset()
        else:
            self.ended = True
            self._destination.write_end()
            self._when_ended()


class _Connection:
    """A client's connection and the proxy's own to the server."""

    def __init__(self, proxy: TcpProxy) -> None:
        self._proxy = proxy
        self._connecting: asyncio.Task[None] | None = None
        self._doomed = False
        self.client = _Side(self._client_opened, self._side_lost)
        self.server = _Side(self._server_opened, self._side_lost)
        self.to_server = _Flow(proxy._to_server, self.client, self.server, self._flow_ended)
        self.to_client = _Flow(proxy._to_client, self.server, self.client, self._flow_ended)
        self.client.outgoing = self.server.incoming = self.to_server
        self.server.outgoing = self.client.incoming = self.to_client

    @property
    def flows(self) -> Iterable[_Flow]:
        """Both directions."""
        return self.to_server, self.to_client

    async def connect(self, upstream_port: int) -> None:
        """Connects to the server, or closes the client's connection when that is refused."""
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.server, HOST, upstream_port)
        except OSError:
            self._doomed = True
            self.client.abort()

    def reset(self) -> None:
        """Resets both sides."""
        self._end(_Side.reset)

    def abort(self) -> None:
        """Closes both sides without sending what is queued."""
        self._end(_Side.abort)

    def half_close(self) -> bool:
        """Ends the stream to the client and drops all bytes from now on; returns False if it did so before."""
        if self.client.lost or self.to_client.severed:
            return False
        for flow in self.flows:
            flow.sever()
        self.client.write_end()
        return True

    def _end(self, end_side: Callable[[_Side], None]) -> None:
        self._doomed = True
        if self._connecting is not None:
            self._connecting.cancel()
        end_side(self.client)
        end_side(self.server)

    def _client_opened(self) -> None:
        self._connecting = self._proxy._open_connection(self)
        if self._connecting is None:
            self.client.abort()
        else:
            self._connecting.add_done_callback(lambda _: self._side_lost())

    def _server_opened(self) -> None:
        if self._doomed:
            self.server.abort()
        else:
            self.to_server.deliver()

    def _flow_ended(self) -> None:
        if self.to_server.ended and self.to_client.ended:
            self.client.close()
            self.server.close()

    def _side_lost(self) -> None:
        """Ends the connection when neither side is open or going to be."""
        connecting = self._connecting is not None and not self._connecting.done()
        if self.client.open or self.server.open or connecting:
            return
        for flow in self.flows:
            flow.drop()
        self._proxy._forget_connection(self)


class _Side(asyncio.Protocol):
    """One socket of a connection.

    Args:
        when_opened: called when it can be written.
        when_lost: called when it is closed.
    """

    incoming: _Flow
    outgoing: _Flow

    def __init__(self, when_opened: Callable[[], None], when_lost: Callable[[], None]) -> None:
        self.lost = False
        self._transport: asyncio.Transport | None = None
        self._full = False
        self._when_opened = when_opened
        self._when_lost = when_lost

    @property
    def open(self) -> bool:
        """Whether its socket is open."""
        return self._transport is not None

    @property
    def writable(self) -> bool:
        """Whether it accepts bytes now."""
        return self._transport is not None and not self._full

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sets the socket up."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._set_option(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._when_opened()

    def data_received(self, data: bytes) -> None:
        """Passes bytes on."""
        self.outgoing.carry(memoryview(data))

    def eof_received(self) -> bool:
        """Passes the end of the stream on, and stays open for the other direction."""
        self.outgoing.carry(_Mark.END)
        return True

    def pause_writing(self) -> None:
        """Pauses the flow for a slow receiver."""
        self._full = True

    def resume_writing(self) -> None:
        """Resumes the flow."""
        self._full = False
        self.incoming.deliver()

    def connection_lost(self, error: Exception | None) -> None:
        """Forwards a broken connection; bytes under way to this side are lost."""
        self._transport = None
        self.lost = True
        self.incoming.drop()
        if error is not None:
            self.outgoing.carry(_Mark.RESET)
        self._when_lost()

    def write(self, content: bytes | memoryview) -> None:
        """Sends bytes, or buffers those that the socket does not accept yet."""
        if self._transport is not None:
            self._transport.write(content)

    def write_end(self) -> None:
        """Ends the stream after the written bytes, unless the socket was reset meanwhile."""
        if self._transport is not None:
            try:
                self._transport.write_eof()
            except OSError:
                self._transport.abort()
                self.outgoing.carry(_Mark.RESET)

    def pause_reading(self) -> None:
        """Pauses the sender."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Resumes a paused sender."""
        if self._transport is not None:
            self._transport.resume_reading()

    def reset(self) -> None:
        """Closes at once, with a reset."""
        if self._transport is not None:
            self._set_option(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
            self._transport.abort()

    def abort(self) -> None:
        """Closes at once."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Closes after the written bytes."""
        if self._transport is not None:
            self._transport.close()

    def _set_option(self, level: int, option: int, setting: int | bytes) -> None:
        if self._transport is not None:
            connected = cast(socket.socket, self._transport.get_extra_info("socket"))
            connected.setsockopt(level, option, setting)
