"""The proxy of the tests: what comes through unchanged, how slowly, and how connections break."""

import itertools
import queue
import random
import socket
import socketserver
import threading
import time
from concurrent import futures

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.proxy import HOST, LINGER_ZERO, SPARE_QUEUE_BYTES, ByteCounts, TcpProxy

READ_BYTES = 2**16
LONG_SECONDS = 3600.0


class EchoServer(socketserver.ThreadingTCPServer):
    """Sends back what it reads; `endings` has one exception or None for each connection that is over."""

    allow_reuse_address = True

    def __init__(self):
        super().__init__((HOST, 0), EchoHandler)
        self.endings = queue.Queue()
        self.port = self.server_address[1]
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def __exit__(self, *error):
        self.shutdown()
        self._thread.join()
        super().__exit__(*error)


class EchoHandler(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            while received := self.request.recv(READ_BYTES):
                self.request.sendall(received)
        except OSError as error:
            self.server.endings.put(error)
        else:
            self.server.endings.put(None)


@pytest.fixture
def server():
    with EchoServer() as started:
        yield started


@pytest.fixture
def proxy(server):
    with TcpProxy(server.port) as started:
        yield started


@pytest.fixture(scope="module")
def shared_proxy():
    with EchoServer() as started, TcpProxy(started.port) as shared:
        yield shared


def connect(proxy):
    return socket.create_connection((HOST, proxy.port))


def receive(connected, size):
    parts = []
    while size:
        part = connected.recv(min(size, READ_BYTES))
        assert part, f"the stream ended {size} bytes early"
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def exchange(connected, chunks):
    """Sends chunks while it receives as many bytes, which it returns."""
    sender = threading.Thread(target=lambda: [connected.sendall(chunk) for chunk in chunks])
    sender.start()
    received = receive(connected, sum(map(len, chunks)))
    sender.join()
    return received


def random_chunks(total_bytes, seed=0):
    source = random.Random(seed)
    chunks = []
    while total_bytes:
        chunks.append(source.randbytes(min(total_bytes, source.choice((1, 100, 5000, 300_000)))))
        total_bytes -= len(chunks[-1])
    return chunks


def fill(connected, is_full):
    """Sends until a condition holds and no more bytes are taken."""
    connected.settimeout(0.2)
    while True:
        try:
            connected.send(bytes(READ_BYTES))
        except TimeoutError:
            if is_full():
                return


def proxy_threads():
    return [thread for thread in threading.enumerate() if thread.name == "tcp-proxy"]


def await_true(condition):
    while not condition():
        time.sleep(0.005)


def test_megabytes_come_back_unchanged_and_are_counted(proxy):
    chunks = random_chunks(8_000_000)
    with connect(proxy) as client:
        assert exchange(client, chunks) == b"".join(chunks)
        assert proxy.connections == 1
    assert proxy.forwarded_bytes == ByteCounts(to_server=8_000_000, to_client=8_000_000)
    await_true(lambda: proxy.connections == 0)


def test_megabytes_come_back_unchanged_over_a_slow_link(proxy):
    proxy.delay_seconds, proxy.bytes_per_second = 0.02, 10e6
    chunks = random_chunks(3_000_000)
    with connect(proxy) as client:
        assert exchange(client, chunks) == b"".join(chunks)


@settings(max_examples=40, deadline=None)
@given(
    chunks=st.lists(st.binary(max_size=3000), max_size=30),
    delay_seconds=st.sampled_from((0.0, 0.001, 0.01)),
    bytes_per_second=st.sampled_from((None, 1e6, 50e6)),
)
def test_any_chunks_come_back_in_order_whatever_the_link(shared_proxy, chunks, delay_seconds, bytes_per_second):
    shared_proxy.delay_seconds, shared_proxy.bytes_per_second = delay_seconds, bytes_per_second
    with connect(shared_proxy) as client:
        assert exchange(client, chunks) == b"".join(chunks)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""


def test_conditions_that_change_under_way_lose_and_swap_nothing(proxy):
    chunks = random_chunks(4_000_000)
    over = threading.Event()

    def change():
        for delay_seconds, bytes_per_second in itertools.cycle(((0.0, None), (0.005, 20e6), (0.02, None), (0.0, 5e6))):
            if over.wait(0.005):
                return
            proxy.delay_seconds, proxy.bytes_per_second = delay_seconds, bytes_per_second
            proxy.stall(0.002)
            proxy.cut_bandwidth(1e6, 0.002)

    changer = threading.Thread(target=change)
    with connect(proxy) as client:
        changer.start()
        assert exchange(client, chunks) == b"".join(chunks)
        over.set()
        changer.join()


def test_end_of_a_stream_leaves_the_other_direction_open(proxy, server):
    with connect(proxy) as client:
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        assert receive(client, 10) == b"last words"
        assert client.recv(1) == b""
    assert server.endings.get() is None
    await_true(lambda: proxy.connections == 0)


def test_delay_holds_in_both_directions(proxy):
    proxy.delay_seconds = 0.2
    with connect(proxy) as client:
        began = time.monotonic()
        assert exchange(client, [b"ping"]) == b"ping"
        assert time.monotonic() - began >= 0.4


def test_many_chunks_are_on_the_way_at_once(proxy):
    """A delay that let one chunk pass at a time would leave the others unread, and deliver the first alone."""
    proxy.delay_seconds = LONG_SECONDS
    with connect(proxy) as client:
        for number in range(200):
            client.sendall(number.to_bytes(1000, "big"))
            await_true(lambda sent=number + 1: proxy.queued_bytes.to_server == sent * 1000)
        assert proxy.forwarded_bytes == (0, 0)
        proxy.delay_seconds = 0.0
        received = receive(client, 200 * 1000)
        assert [int.from_bytes(received[at : at + 1000], "big") for at in range(0, len(received), 1000)] == [
            *range(200)
        ]
        assert proxy.queued_bytes == (0, 0)


def test_a_delayed_link_holds_more_than_the_spare_queue(proxy):
    proxy.delay_seconds = LONG_SECONDS
    total_bytes = SPARE_QUEUE_BYTES + 4_000_000
    with connect(proxy) as client:
        client.sendall(bytes(total_bytes))
        await_true(lambda: proxy.queued_bytes.to_server >= total_bytes)
        assert proxy.queued_bytes.to_server == total_bytes


def test_a_queue_is_bounded_and_the_sender_waits(proxy):
    largest_read_bytes = 2**18
    proxy.bytes_per_second = 1.0
    with connect(proxy) as client:
        fill(client, lambda: proxy.queued_bytes.to_server > SPARE_QUEUE_BYTES)
        assert proxy.queued_bytes.to_server <= SPARE_QUEUE_BYTES + largest_read_bytes


def test_a_client_that_does_not_read_holds_up_nobody_else(proxy):
    with connect(proxy) as idle, connect(proxy) as client:
        fill(idle, lambda: proxy.queued_bytes.to_server > SPARE_QUEUE_BYTES)
        chunks = random_chunks(1_000_000)
        assert exchange(client, chunks) == b"".join(chunks)


def test_bandwidth_is_not_exceeded(proxy):
    proxy.bytes_per_second = 1e6
    with connect(proxy) as client:
        began = time.monotonic()
        exchange(client, [bytes(400_000)])
        assert time.monotonic() - began >= 0.4


def test_bandwidth_and_delay_add_up(proxy):
    proxy.delay_seconds, proxy.bytes_per_second = 0.15, 1e6
    with connect(proxy) as client:
        began = time.monotonic()
        exchange(client, [bytes(300_000)])
        assert time.monotonic() - began >= 0.3 + 2 * 0.15


def test_connections_share_the_bandwidth(proxy):
    proxy.bytes_per_second = 1e6
    with connect(proxy) as first, connect(proxy) as second, futures.ThreadPoolExecutor() as threads:
        began = time.monotonic()
        for exchanged in [threads.submit(exchange, client, [bytes(200_000)]) for client in (first, second)]:
            assert exchanged.result() == bytes(200_000)
        assert time.monotonic() - began >= 0.4


def test_a_short_message_is_not_behind_the_whole_queue_of_another_connection(proxy):
    proxy.bytes_per_second = 100_000
    with connect(proxy) as bulk, connect(proxy) as client:
        bulk.sendall(bytes(10_000_000))
        await_true(lambda: proxy.queued_bytes.to_server > 1_000_000)
        assert exchange(client, [b"ping"]) == b"ping"
        assert proxy.queued_bytes.to_server > 1_000_000


def test_a_connection_that_began_earlier_gets_its_share(proxy):
    proxy.bytes_per_second = 1e6
    with connect(proxy) as client, connect(proxy) as bulk:
        client.sendall(bytes(400_000))
        bulk.sendall(bytes(10_000_000))
        assert receive(client, 400_000) == bytes(400_000)
        assert proxy.queued_bytes.to_server > 1_000_000


def test_a_cut_lowers_the_bandwidth_for_its_time(proxy):
    with connect(proxy) as client:
        proxy.cut_bandwidth(1e6, seconds=LONG_SECONDS)
        began = time.monotonic()
        exchange(client, [bytes(300_000)])
        assert time.monotonic() - began >= 0.3
        began = time.monotonic()
        proxy.cut_bandwidth(100, seconds=0.2)
        assert exchange(client, [bytes(1_000_000)]) == bytes(1_000_000)
        assert time.monotonic() - began >= 0.2
        assert proxy.bytes_per_second is None


def test_a_cut_never_raises_the_bandwidth(proxy):
    proxy.bytes_per_second = 1e6
    proxy.cut_bandwidth(1e9, seconds=LONG_SECONDS)
    with connect(proxy) as client:
        began = time.monotonic()
        exchange(client, [bytes(300_000)])
        assert time.monotonic() - began >= 0.3


def test_a_stall_delivers_everything_afterwards(proxy):
    chunks = random_chunks(2_000_000)
    with connect(proxy) as client:
        exchange(client, [b"ping"])
        began = time.monotonic()
        proxy.stall(0.5)
        client.sendall(b"kept")
        time.sleep(0.1)
        forwarded = proxy.forwarded_bytes
        assert forwarded == (4, 4) or time.monotonic() - began >= 0.5
        assert exchange(client, chunks) == (b"kept" + b"".join(chunks))[:2_000_000]
        assert receive(client, 4) == chunks[-1][-4:]
        assert time.monotonic() - began >= 0.5


def test_a_stall_keeps_what_is_on_the_way(proxy):
    proxy.delay_seconds = LONG_SECONDS
    with connect(proxy) as client:
        client.sendall(b"ping")
        await_true(lambda: proxy.queued_bytes.to_server == 4)
        began = time.monotonic()
        proxy.stall(0.4)
        proxy.delay_seconds = 0.0
        forwarded = proxy.forwarded_bytes
        assert forwarded == (0, 0) or time.monotonic() - began >= 0.4
        assert receive(client, 4) == b"ping"
        assert time.monotonic() - began >= 0.4


def test_a_reset_breaks_both_sides_of_every_connection(proxy, server):
    with connect(proxy) as first, connect(proxy) as second:
        for client in (first, second):
            exchange(client, [b"ping"])
        assert proxy.reset() == 2
        assert proxy.connections == 0
        for client in (first, second):
            with pytest.raises(ConnectionResetError):
                client.recv(1)
            assert isinstance(server.endings.get(), ConnectionResetError)
    assert proxy.reset() == 0
    with connect(proxy) as client:
        assert exchange(client, [b"ping"]) == b"ping"


def test_a_reset_loses_what_is_on_the_way(proxy, server):
    proxy.delay_seconds = LONG_SECONDS
    with connect(proxy) as client:
        client.sendall(b"lost")
        await_true(lambda: proxy.queued_bytes.to_server == 4)
        assert proxy.reset() == 1
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert proxy.forwarded_bytes == (0, 0)


def test_a_reset_of_the_client_reaches_the_server(proxy, server):
    with connect(proxy) as client:
        exchange(client, [b"ping"])
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
    assert isinstance(server.endings.get(), ConnectionResetError)
    await_true(lambda: proxy.connections == 0)


def test_a_half_close_is_the_end_for_the_client_and_silence_for_the_server(proxy, server):
    with connect(proxy) as client:
        exchange(client, [b"ping"])
        assert proxy.half_close() == 1
        assert client.recv(1) == b""
        client.sendall(b"unheard")
        time.sleep(0.1)
        assert proxy.half_close() == 0
        assert proxy.connections == 1
        assert server.endings.empty()
    assert server.endings.get() is None
    assert proxy.forwarded_bytes == (4, 4)
    await_true(lambda: proxy.connections == 0)


def test_a_half_close_keeps_the_end_that_is_on_the_way(proxy, server):
    with connect(proxy) as client:
        exchange(client, [b"ping"])
        proxy.delay_seconds = LONG_SECONDS
        client.sendall(b"unheard")
        client.shutdown(socket.SHUT_WR)
        await_true(lambda: proxy.queued_bytes.to_server == 7)
        time.sleep(0.1)
        assert proxy.half_close() == 1
        proxy.delay_seconds = 0.0
        assert server.endings.get() is None
    assert proxy.forwarded_bytes.to_server == 4
    await_true(lambda: proxy.connections == 0)


def test_a_client_is_closed_at_once_when_the_server_refuses(server):
    with socket.socket() as unused:
        unused.bind((HOST, 0))
        with TcpProxy(unused.getsockname()[1]) as proxy, connect(proxy) as client:
            assert client.recv(1) == b""
            await_true(lambda: proxy.connections == 0)
            proxy.upstream_port = server.port
            with connect(proxy) as later:
                assert exchange(later, [b"ping"]) == b"ping"


def test_a_changed_server_is_that_of_new_connections(proxy, server):
    with EchoServer() as moved, connect(proxy) as old:
        exchange(old, [b"ping"])
        proxy.upstream_port = moved.port
        with connect(proxy) as new:
            exchange(new, [b"ping"])
        assert moved.endings.get() is None
        assert server.endings.empty()
        assert exchange(old, [b"ping"]) == b"ping"


@pytest.mark.parametrize(
    "conditions", [{}, {"delay_seconds": LONG_SECONDS}, {"bytes_per_second": 10.0}], ids=["free", "delayed", "limited"]
)
def test_stops_with_bytes_on_the_way_and_leaves_no_thread(server, conditions):
    threads_before = proxy_threads()
    proxy = TcpProxy(server.port, **conditions)
    proxy.start()
    assert len(proxy_threads()) == len(threads_before) + 1
    with connect(proxy) as client:
        client.sendall(bytes(100_000))
        await_true(lambda: sum(proxy.queued_bytes) or sum(proxy.forwarded_bytes))
        proxy.stop()
        proxy.stop()
        assert proxy_threads() == threads_before
        assert proxy.connections == 0
        with pytest.raises(ConnectionRefusedError):
            connect(proxy)
    server.endings.get()


def test_starts_again_on_the_same_port(proxy):
    port = proxy.port
    proxy.stop()
    proxy.start()
    assert proxy.port == port
    with connect(proxy) as client:
        assert exchange(client, [b"ping"]) == b"ping"


def test_a_proxy_that_does_not_run_breaks_nothing(server):
    proxy = TcpProxy(server.port)
    assert proxy.connections == 0
    assert proxy.queued_bytes == (0, 0)
    proxy.stop()
    for call in (lambda: proxy.port, proxy.reset, proxy.half_close, lambda: proxy.stall(1.0)):
        with pytest.raises(RuntimeError):
            call()


@pytest.mark.parametrize("seconds", [-0.1, float("nan"), float("inf")])
def test_refuses_what_is_no_delay(proxy, seconds):
    with pytest.raises(ValueError):
        proxy.delay_seconds = seconds


@pytest.mark.parametrize("bytes_per_second", [0, -1.0, float("nan"), float("inf")])
def test_refuses_what_is_no_bandwidth(proxy, bytes_per_second):
    with pytest.raises(ValueError):
        proxy.bytes_per_second = bytes_per_second
    with pytest.raises(ValueError):
        proxy.cut_bandwidth(bytes_per_second, seconds=1.0)


def test_grpc_calls_pass_and_survive_a_reset():
    echo = grpc.unary_unary_rpc_method_handler(lambda request, context: request)
    handler = grpc.method_handlers_generic_handler("echo.Echo", {"Echo": echo})
    grpc_server = grpc.server(futures.ThreadPoolExecutor(max_workers=2), handlers=(handler,))
    upstream_port = grpc_server.add_insecure_port(f"{HOST}:0")
    grpc_server.start()
    message = random.Random(0).randbytes(2_000_000)
    try:
        with TcpProxy(upstream_port, delay_seconds=0.05, bytes_per_second=20e6) as proxy:
            options = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.use_local_subchannel_pool", 1)]
            with grpc.insecure_channel(f"{HOST}:{proxy.port}", options=options) as channel:
                call = channel.unary_unary("/echo.Echo/Echo")
                began = time.monotonic()
                assert call(message, wait_for_ready=True) == message
                assert time.monotonic() - began >= 2 * 0.05 + len(message) / 20e6
                assert proxy.forwarded_bytes.to_server > len(message)
                proxy.delay_seconds = LONG_SECONDS
                unanswered = call.future(b"never heard")
                await_true(lambda: proxy.queued_bytes.to_server)
                assert proxy.reset() == 1
                assert unanswered.exception().code() is grpc.StatusCode.UNAVAILABLE
                proxy.delay_seconds = 0.0
                assert call(message, wait_for_ready=True) == message
    finally:
        grpc_server.stop(None).wait()
