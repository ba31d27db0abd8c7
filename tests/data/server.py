"""A web server on the loopback whose files come whole, cut, late or never."""

import contextlib
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
        elif "slow" in server.behaviour:
            server.closing.wait(0.5)
            self.wfile.write(body)
        elif "stall" in server.behaviour:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            server.closing.wait(30)
        else:
            self.wfile.write(body)


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
