"""A server that speaks MLflow's REST protocol as far as a training run needs it, on a real socket."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PREFIX = "/api/2.0/mlflow/"


class MlflowStore:
    """What the server was told: experiments, runs with tags, parameters, metrics, and a folder for their files."""

    def __init__(self, folder):
        self.folder = folder
        self.experiments = {}
        self.runs = []
        self.fails = False

    def answer(self, call, body):
        name = call.replace("/", "_").replace("-", "_")
        return getattr(self, name)(body)

    def experiments_get_by_name(self, body):
        known = self.experiments.get(body["experiment_name"])
        return None if known is None else {"experiment": {"experiment_id": known, "name": body["experiment_name"]}}

    def experiments_create(self, body):
        self.experiments[body["name"]] = str(len(self.experiments) + 1)
        return {"experiment_id": self.experiments[body["name"]]}

    def runs_create(self, body):
        run = {"tags": {one["key"]: one["value"] for one in body["tags"]}, "params": {}, "metrics": []}
        run["info"] = {
            "run_id": f"{len(self.runs):032x}",
            "experiment_id": body["experiment_id"],
            "run_name": body["run_name"],
            "status": "RUNNING",
            "artifact_uri": str(self.folder / str(len(self.runs))),
            "lifecycle_stage": "active",
        }
        self.runs.append(run)
        return {"run": self.shown(run)}

    def shown(self, run):
        return {
            "info": run["info"],
            "data": {"tags": [{"key": key, "value": value} for key, value in run["tags"].items()]},
        }

    def run(self, body):
        return next(one for one in self.runs if one["info"]["run_id"] == (body.get("run_id") or body.get("run_uuid")))

    def runs_get(self, body):
        return {"run": self.shown(self.run(body))}

    def runs_search(self, body):
        return {
            "runs": [self.shown(one) for one in self.runs if f"'{one['tags']['splitrain.run_id']}'" in body["filter"]]
        }

    def runs_update(self, body):
        info = self.run(body)["info"]
        info |= {key: body[key] for key in ("status", "end_time") if key in body}
        return {"run_info": info}

    def runs_log_parameter(self, body):
        self.run(body)["params"][body["key"]] = body["value"]
        return {}

    def runs_log_batch(self, body):
        self.run(body)["metrics"] += [(one["key"], int(one["step"]), one["value"]) for one in body["metrics"]]
        return {}

    def metrics_get_history(self, body):
        """As MLflow's own server does, with every value that was logged, also of a step that was logged before."""
        found = [one for one in self.run(body)["metrics"] if one[0] == body["metric_key"]]
        return {"metrics": [{"key": key, "value": value, "step": step, "timestamp": 0} for key, step, value in found]}


@contextmanager
def mlflow_server(folder):
    """Serves on a free port of this machine; yields its address and the store."""
    store = MlflowStore(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            split = urlsplit(self.path)
            body |= dict(pair.split("=", 1) for pair in split.query.split("&") if pair)
            reply = None
            if not store.fails and split.path.startswith(PREFIX):
                reply = store.answer(split.path.removeprefix(PREFIX), body)
            absent = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "there is none"}
            content = json.dumps(absent if reply is None else reply).encode()
            self.send_response(404 if reply is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", store
        finally:
            server.shutdown()
            thread.join()
