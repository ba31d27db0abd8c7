"""A web server on the loopback whose files come whole, cut, late or never."""

import contextlib
import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers as `server.behaviour` says: a set of words."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Keep the test's output clean."""

    def do_GET(self):
        """Send a file, or what the behaviour makes of it."""
        server = self.server
        server.asked.append((self.path, self.headers.get("Range")))
        if "silent" in server.behaviour:
            server.closing.wait(30)
            return
        content = server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        if "loop" in server.behaviour:
            self.send_response(302)
            self.send_header("Location", self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if server.behaviour & set(PARTS):
            self.send_part(content)
            return
        if server.behaviour & {"encoded", "mislabelled", "unknown encoding", "damaged encoding"}:
            self.send_encoded(content)
            return
        start = 0
        if "Range" in self.headers and "whole" not in server.behaviour:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        body = content[start:]
        self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if "cut" in server.behaviour:
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif "drip" in server.behaviour:
            for at in range(len(body)):
                self.wfile.write(body[at : at + 1])
                if server.closing.wait(0.02):
                    return
        elif "slow" in server.behaviour:
            server.closing.wait(0.5)
            self.wfile.write(body)
        elif "stall" in server.behaviour:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            server.closing.wait(30)
        else:
            self.wfile.write(body)

    def send_part(self, content):
        """Answer a request for the rest of a file with another part, or other words about it."""
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        words, shift, always = next(PARTS[word] for word in PARTS if word in self.server.behaviour)
        if not start and not always:
            self.send_response(200)
            body = content
        else:
            body = content[max(start + shift, 0) :]
            self.send_response(206)
            if words is not None:
                self.send_header("Content-Range", words.format(start=start, last=len(content) - 1, size=len(content)))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_encoded(self, content):
        """Send a file with a Content-Encoding that nobody asked for."""
        word = next(iter(self.server.behaviour))
        body = {"encoded": gzip.compress(content), "damaged encoding": gzip.compress(content)[:10] + b"?" * 50}.get(
            word, content
        )
        self.send_response(200)
        self.send_header("Content-Encoding", "br" if word == "unknown encoding" else "gzip")
        self.send_header("Content-Length", str(len(body) + (word == "unknown encoding")))
        self.end_headers()
        self.wfile.write(body)


PARTS = {
    "no range": (None, 0, False),
    "other range": ("bytes {start}-{last}/{size}0", 0, False),
    "earlier range": ("bytes 0-{last}/{size}", -(10**9), False),
    "shifted range": ("bytes 100-{last}/{size}", -900, False),
    "words for a range": ("bytes a-b/c", 0, False),
    "unasked": ("bytes {start}-{last}/{size}", 0, True),
}
"""By behaviour: Content-Range, by how much the part starts elsewhere, and whether it comes unasked as well."""


@contextlib.contextmanager
def serve(files):
    """Yield a running server of `files`, content by path; `.url`, `.asked` and `.behaviour` are its attributes."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.files, server.asked, server.behaviour, server.closing = files, [], set(), threading.Event()
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
