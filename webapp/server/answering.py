"""A whole request answered by the site, in a thread of the pool that waits for nobody's line."""

from __future__ import annotations

import errno
import os
from typing import Any, Final, NoReturn

from django.core.exceptions import RequestDataTooBig
from django.db import close_old_connections
from gunicorn import util
from gunicorn.http import wsgi
from gunicorn.http.errors import NoMoreData

from webapp.server.connections import Connection
from webapp.server.incoming import Body
from webapp.server.pace import ENVIRON_KEY, Pace

_GONE: Final = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.ETIMEDOUT})


class Response(wsgi.Response):  # type: ignore[misc]  # the library has no types
    """An answer that does not name the software, and leaves a file to the sender."""

    has_attached = False
    response_length: int | None
    sock: Any

    def default_headers(self) -> list[str]:
        """The first lines of an answer's head."""
        return [line for line in super().default_headers() if not line.startswith("Server:")]

    def sendfile(self, body: Any) -> bool:
        """Attach a file of announced length to what is sent; whether it was."""
        length = self.response_length
        if length is None or not util.has_fileno(body.filelike):
            return False
        if self._omits_body:
            self.send_headers()
            return True
        fd: int = body.filelike.fileno()
        offset = os.lseek(fd, 0, os.SEEK_CUR)
        self.send_headers()
        self.has_attached = True
        self.sock.attach(fd, offset, length, body.close)
        return True


class _TooLarge:
    """A body that was refused unread, to whoever reads it."""

    def read(self, *_size: int) -> NoReturn:
        """Raise RequestDataTooBig."""
        raise RequestDataTooBig("a body over the server's limit")

    readline = read


class Answering:
    """Has the site answer requests.

    server: Gunicorn's worker, for its configuration, log, application and answers to errors.
    """

    def __init__(self, server: Any) -> None:
        self._server = server

    def answer(self, connection: Connection, request: Any) -> bool:
        """Have a request answered, into the connection's `outgoing`; whether another may follow.

        Raises nothing.
        """
        outgoing = connection.outgoing
        response = None
        try:
            response, environ = wsgi.create(
                request,
                outgoing,
                connection.client,
                connection.server,
                self._server.cfg,
                response_class=Response,
            )
            environ[ENVIRON_KEY] = outgoing.pace = Pace()
            if connection.incoming.body is Body.TOO_LARGE:
                environ["wsgi.input"] = _TooLarge()
            if not self._server.alive:
                response.force_close()
            self._run(response, environ)
        except (NoMoreData, StopIteration):
            return False
        except OSError as error:
            outgoing.error = error
            if error.errno not in _GONE:
                self._server.log.exception("Socket error processing request.")
            return False
        except Exception as error:
            outgoing.pace.when_sent = None  # what is sent instead is another answer
            if response is not None and response.headers_sent:
                self._server.log.exception("Error handling request")
                outgoing.error = ConnectionAbortedError()
            else:
                self._server.handle_error(request, outgoing, connection.client, error)
            return False
        return not response.should_close()

    def _run(self, response: Response, environ: dict[str, Any]) -> None:
        environ["wsgi.multithread"] = True
        body = self._server.wsgi(environ, response.start_response)
        try:
            if isinstance(body, environ["wsgi.file_wrapper"]):
                response.write_file(body)
            else:
                for part in body:
                    response.write(part)
            response.close()
        finally:
            if response.has_attached:
                # The request ends with its file, in another thread; the database is done with now.
                close_old_connections()
            elif hasattr(body, "close"):
                body.close()
