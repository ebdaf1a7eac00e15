"""A small server of objects on a real socket that speaks as much of S3 as reading needs."""

import hashlib
import threading
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

MODIFIED = 1_700_000_000


class ObjectStorage:
    """Objects by BUCKET/KEY, which a test may change at any time.

    Attributes:
        objects: content by name.
        key: access key that requests must be signed with; all of them are refused otherwise.
        requests: method and path of all requests so far.
    """

    def __init__(self, key):
        self.objects = {}
        self.key = key
        self.requests = []
        self.port = 0

    def address(self, name, **options):
        query = "&".join(f"{one}={value}" for one, value in options.items())
        return f"s3://{name}?scheme=http&region=eu-west-1&endpoint_override=127.0.0.1:{self.port}" + (
            query and f"&{query}"
        )


@contextmanager
def serve_objects(key):
    storage = ObjectStorage(key)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            """Keeps quiet."""

        def _send(self, status, content=b"", **headers):
            self.send_response(status)
            for name, value in {"Content-Length": len(content), **headers}.items():
                self.send_header(name.replace("_", "-"), str(value))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def _refuse(self, status, code):
            self._send(status, f"<Error><Code>{code}</Code><Message>secret-of-server</Message></Error>".encode())

        def _answer(self):
            url = urlsplit(self.path)
            name, query = unquote(url.path).lstrip("/"), parse_qs(url.query)
            storage.requests.append((self.command, name))
            if f"Credential={storage.key}/" not in self.headers.get("Authorization", ""):
                return self._refuse(403, "AccessDenied")
            if "list-type" in query or "/" not in name.rstrip("/"):
                return self._list(name.rstrip("/"), query)
            if name not in storage.objects:
                return self._refuse(404, "NoSuchKey")
            return self._object(storage.objects[name])

        def _object(self, content):
            tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            headers = {"ETag": tag, "Last_Modified": formatdate(MODIFIED, usegmt=True), "Accept_Ranges": "bytes"}
            if "Range" not in self.headers or self.command == "HEAD":
                headers |= {"Content_Length": len(content)}
                return self._send(200, content, **headers)
            first, last = self.headers["Range"].removeprefix("bytes=").split("-")
            end = min(int(last), len(content) - 1)
            headers["Content_Range"] = f"bytes {first}-{end}/{len(content)}"
            return self._send(206, content[int(first) : end + 1], **headers)

        def _list(self, bucket, query):
            prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
            keys = sorted(name.partition("/")[2] for name in storage.objects if name.startswith(f"{bucket}/"))
            if not keys:
                return self._refuse(404, "NoSuchBucket")
            found, folders = [], set()
            for one in (one for one in keys if one.startswith(prefix)):
                rest = one[len(prefix) :]
                if delimiter and delimiter in rest:
                    folders.add(prefix + rest.partition(delimiter)[0] + delimiter)
                else:
                    size = len(storage.objects[f"{bucket}/{one}"])
                    found.append(f"<Contents><Key>{escape(one)}</Key><Size>{size}</Size></Contents>")
            below = "".join(
                f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>" for one in sorted(folders)
            )
            count = len(found) + len(folders)
            text = (
                f"<ListBucketResult><Name>{bucket}</Name><KeyCount>{count}</KeyCount><IsTruncated>false</IsTruncated>"
                f"{''.join(found)}{below}</ListBucketResult>"
            )
            return self._send(200, text.encode(), Content_Type="application/xml")

        do_GET = do_HEAD = _answer

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    storage.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield storage
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
