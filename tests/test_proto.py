"""The generated stubs are those of the .proto files, and the code's tables agree with them."""

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from party.cut.hidden import Aggregation
from party.cut.specs import AGGREGATIONS, CODES
from party.pb import handshake_pb2, party_pb2, tensor_pb2
from party.security.sealing import Slot
from party.transport.service import PartyService

ROOT = Path(__file__).parents[1]
PROTO = ROOT / "proto"
SOURCES = sorted((PROTO / "party" / "pb").glob("*.proto"))
SERVICE = party_pb2.DESCRIPTOR.services_by_name["Party"]


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def generate(*arguments):
    # Its own process: the compiler brings a second copy of the protobuf library.
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", *map(str, arguments)], check=True)


def test_stubs_are_generated_from_the_sources(tmp_path):
    generate(f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", *SOURCES)
    generate(f"--grpc_python_out={tmp_path}", PROTO / "party" / "pb" / "party.proto")
    committed = files_of(ROOT / "party" / "pb")
    del committed["__init__.py"]
    assert files_of(tmp_path / "party" / "pb") == committed


def declared(source, kind):
    """Names and numbers of every enum or the fields of every message, read from the text."""
    text = re.sub(r"//[^\n]*", "", (PROTO / "party" / "pb" / source).read_text())
    found = {}
    for name, body in re.findall(kind + r"\s+(\w+)\s*\{([^{}]*)\}", text):
        found[name] = {key: int(number) for key, number in re.findall(r"(\w+)\s*=\s*(\d+)\s*;", body)}
    return found


ENUMS = {
    "tensor.proto": tensor_pb2,
    "handshake.proto": handshake_pb2,
    "party.proto": party_pb2,
}


@pytest.mark.parametrize("source", ENUMS)
def test_enum_values_are_those_of_the_source(source):
    module = ENUMS[source]
    enums = declared(source, "enum")
    assert set(enums) == set(module.DESCRIPTOR.enum_types_by_name)
    for name, values in enums.items():
        assert dict(getattr(module, name).items()) == values
        assert list(values.values()) == list(range(len(values)))
        assert next(iter(values)).endswith("_UNSPECIFIED"), "0 is what an absent field reads as"


@pytest.mark.parametrize("source", ENUMS)
def test_no_field_number_is_used_twice(source):
    for name, fields in declared(source, "message").items():
        assert len(set(fields.values())) == len(fields), name


def known_values(enum):
    return {value for name, value in enum.items() if not name.endswith("_UNSPECIFIED")}


def test_every_aggregation_has_its_code():
    assert set(CODES) == set(Aggregation)
    assert set(CODES.values()) == known_values(tensor_pb2.Aggregation)
    assert all(AGGREGATIONS[code] is aggregation for aggregation, code in CODES.items())
    for aggregation, code in CODES.items():
        assert tensor_pb2.Aggregation.Name(code) == f"AGGREGATION_{aggregation.value.upper()}"


def test_every_kind_of_message_is_authenticated_apart():
    kinds = known_values(party_pb2.MessageKind)
    bound = {Slot("a", "b", kind, "train", index=0, rows=1).associated_data(bytes(32)) for kind in kinds}
    assert len(bound) == len(kinds) == 12
    assert len({str(Slot("a", "b", kind, "", index=0, rows=1)) for kind in kinds}) == len(kinds)


def test_service_handles_exactly_the_declared_methods():
    handler = PartyService(SimpleNamespace(party="alice"), None, lambda context: "coordinator").handler()
    handled = {name.rpartition("/") for name in handler._method_handlers}
    assert {service for service, _, _ in handled} == {f"/{SERVICE.full_name}"}
    assert {method for _, _, method in handled} == set(SERVICE.methods_by_name)
    for name, one in handler._method_handlers.items():
        method = SERVICE.methods_by_name[name.rpartition("/")[2]]
        assert one.request_streaming, "a caller is authorised before its message is waited for"
        assert method.client_streaming == (method.name == "StreamCalls")
        assert one.response_streaming == method.server_streaming == (method.name == "StreamCalls")
        assert one.request_deserializer is None, "a caller is authorised before anything is parsed"


@pytest.mark.parametrize("method", list(SERVICE.methods), ids=lambda method: method.name)
def test_method_takes_a_request_and_gives_a_reply_of_its_name(method):
    assert method.input_type.name == f"{method.name}Request"
    assert method.output_type.name == f"{method.name}Reply"
    # Every method but Describe and Probe names the session that it belongs to; StreamCalls carries requests that do.
    session = method.input_type.fields_by_name.get("session")
    assert (session is None) == (method.name in ("Describe", "Probe", "StreamCalls"))
    assert session is None or session.message_type.name == "SessionReference"
