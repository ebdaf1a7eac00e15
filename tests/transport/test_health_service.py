"""The gRPC health service, asked by its library's own client."""

import queue
import threading

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from party.configuration.monitoring import MonitoringPort
from party.errors import ConfigurationError
from party.transport.health_service import READINESS, HealthService

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING
ANSWER_SECONDS = 30


@pytest.fixture
def service():
    made = HealthService(MonitoringPort(listen="127.0.0.1:0"))
    yield made
    made.close()


@pytest.fixture
def stub(service):
    with grpc.insecure_channel(f"127.0.0.1:{service.port}") as channel:
        yield HealthStub(channel)


def status(stub, name):
    return stub.Check(HealthCheckRequest(service=name), timeout=ANSWER_SECONDS).status


def test_a_party_is_live_from_the_start_and_ready_only_while_it_answers(service, stub):
    assert [status(stub, name) for name in READINESS] == [NOT_SERVING] * len(READINESS)
    assert status(stub, "live") == SERVING
    service.ready()
    assert [status(stub, name) for name in READINESS] == [SERVING] * len(READINESS)
    service.stopping()
    assert [status(stub, name) for name in READINESS] == [NOT_SERVING] * len(READINESS)
    assert status(stub, "live") == SERVING


def test_whoever_watches_is_told_of_each_change(service, stub):
    seen = queue.SimpleQueue()
    watch = stub.Watch(HealthCheckRequest(service="ready"), timeout=ANSWER_SECONDS)

    def read():
        try:
            for reply in watch:
                seen.put(reply.status)
        except grpc.RpcError:
            seen.put(None)

    threading.Thread(target=read, daemon=True).start()
    assert seen.get(timeout=ANSWER_SECONDS) == NOT_SERVING
    service.ready()
    assert seen.get(timeout=ANSWER_SECONDS) == SERVING
    watch.cancel()


def test_many_watches_leave_a_check_its_thread(service, stub):
    watches = [stub.Watch(HealthCheckRequest(service="ready"), timeout=ANSWER_SECONDS) for _ in range(8)]
    assert [next(one).status for one in watches] == [NOT_SERVING] * 8
    assert status(stub, "live") == SERVING
    for one in watches:
        one.cancel()


def test_names_that_anybody_makes_up_are_not_kept(service, stub):
    """A caller who watches one name after another would fill the memory of a party, also of one that runs for long."""

    def kept():
        return service._servicer._send_response_callbacks

    for number in range(50):
        watch = stub.Watch(HealthCheckRequest(service=f"made up {number}"), timeout=ANSWER_SECONDS)
        assert next(watch).status == HealthCheckResponse.SERVICE_UNKNOWN
        watch.cancel()
    assert len(kept()) <= 1


def test_other_names_are_unknown_and_other_services_are_not_there(service, stub):
    with pytest.raises(grpc.RpcError) as caught:
        status(stub, "alice")
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    with grpc.insecure_channel(f"127.0.0.1:{service.port}") as channel:
        describe = channel.unary_unary("/split.v1.Party/Describe")
        with pytest.raises(grpc.RpcError) as caught:
            describe(b"", timeout=ANSWER_SECONDS)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_port_that_is_taken_is_named(service):
    with pytest.raises(ConfigurationError, match=f"health.listen: cannot listen on 127.0.0.1:{service.port}"):
        HealthService(MonitoringPort(listen=f"127.0.0.1:{service.port}"))
