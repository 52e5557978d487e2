"""A small Zenodo on this machine: records with files, ranges, and every fault that a server or a line can have."""

import hashlib
import io
import json
import re
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

PART_1, PART_2 = "3723295", "4121926"


def zipped(members, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def luna_files(num_bytes=40_000):
    """Return both records' files by name: ten subsets of one scan each, lung masks of two, and the tables."""
    rng = np.random.default_rng(16)
    files = {PART_1: {}, PART_2: {}}
    for subset in range(10):
        raw = rng.integers(0, 256, num_bytes, np.uint8).tobytes()
        name = f"subset{subset}/1.2.{subset}"
        members = {f"subset{subset}/": b"", f"{name}.mhd": b"ObjectType = Image\n", f"{name}.raw": raw}
        files[PART_1 if subset < 7 else PART_2][f"subset{subset}.zip"] = zipped(members)
    tables = {"candidates_V2.csv": b"seriesuid,coordX,coordY,coordZ,class\n"}
    evaluation = {
        "evaluationScript/noduleCADEvaluationLUNA16.py": b"import os\n",
        "evaluationScript/annotations/annotations_excluded.csv": b"seriesuid,coordX,coordY,coordZ,diameter_mm\n",
        "evaluationScript/annotations/seriesuids.csv": b"1.2.0\n",
        "__MACOSX/evaluationScript/annotations/._seriesuids.csv": b"\0",
    }
    header = b"ObjectType = Image\nElementDataFile = 1.2.%d.zraw\n"
    masks = {f"seg-lungs-LUNA16/1.2.{scan}.mhd": header % scan for scan in (0, 7)}
    masks |= {f"seg-lungs-LUNA16/1.2.{scan}.zraw": b"\0" * 100 for scan in (0, 7)}
    files[PART_1] |= {
        "annotations.csv": b"seriesuid,coordX,coordY,coordZ,diameter_mm\n1.2.0,1,2,3,4\n",
        "candidates_V2.zip": zipped(tables),
        "evaluationScript.zip": zipped(evaluation),
        "sampleSubmission.csv": b"seriesuid\n",
        "seg-lungs-LUNA16.zip": zipped(masks),
    }
    return files


class RecordServer:
    """The server; `faults[name]` is a list of faults, one taken by each request for that file."""

    def __init__(self, files):
        self.files = files
        self.faults = {}
        self.has_ranges = True
        self.overrides = {}
        self.requests = []
        self.most_at_once = self._at_once = 0
        self.gate = None
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def root(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def source(self):
        return f"{self.root}/api/records"

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def asked(self, name):
        """Return the Range header of every request for a file, None where it had none."""
        return [ranged for asked, ranged in self.requests if asked == name]

    def record(self, number):
        """Return the JSON of a record, as Zenodo's API serves it (the fields that are read)."""
        entries = []
        for name, content in self.files[number].items():
            entry = {
                "key": name,
                "size": len(content),
                "checksum": f"md5:{hashlib.md5(content, usedforsecurity=False).hexdigest()}",
                "links": {"self": f"{self.root}/api/records/{number}/files/{name}/content"},
            }
            entries.append(entry | self.overrides.get(name, {}))
        return {"id": int(number), "files": entries}

    def enter(self, name, ranged):
        with self._lock:
            self.requests.append((name, ranged))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            waiting = self.faults.get(name, [])
            return waiting.pop(0) if waiting else None

    def leave(self):
        with self._lock:
            self._at_once -= 1

    def _handler(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                parts = self.path.strip("/").split("/")
                name = parts[4] if len(parts) > 4 else parts[2]
                fault = server.enter(name, self.headers.get("Range"))
                try:
                    if server.gate is not None:
                        server.gate.wait(5)
                    if parts[2] not in server.files:
                        self.head(404, {"Content-Length": "0"})
                        return
                    body = server.files[parts[2]][name] if len(parts) > 4 else json.dumps(server.record(name)).encode()
                    self.answer(body, fault)
                except (BrokenPipeError, ConnectionResetError):
                    pass
                finally:
                    server.leave()

            def answer(self, body, fault):
                kind, *details = fault or ("",)
                if kind == "status":
                    code, headers = (*details, {})[:2]
                    return self.head(code, {"Content-Length": "0"} | headers)
                start, total = 0, len(body)
                ranged = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
                if ranged and server.has_ranges:
                    start = int(ranged[1])
                    if start >= total:
                        return self.head(416, {"Content-Range": f"bytes */{total}", "Content-Length": "0"})
                if kind == "garble":
                    middle = start + (total - start) // 2
                    body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
                body = body[start:]
                headers = {"Content-Length": str(len(body))}
                if start:
                    told = start + 1 if kind == "other range" else start
                    headers["Content-Range"] = f"bytes {told}-{total - 1}/{total}"
                if kind == "short":
                    body = body[: details[0]]
                    headers["Content-Length"] = str(len(body))
                if kind == "long":
                    body += b"more"
                    headers["Content-Length"] = str(len(body))
                self.head(206 if start else 200, headers)
                self.wfile.write(body[: details[0]] if kind == "drop" else body)
                return None

            def head(self, code, headers):
                self.send_response(code)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.end_headers()

        return Handler
