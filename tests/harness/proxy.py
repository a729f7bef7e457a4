"""A network between Biwa and its source that can be cut, stalled, slowed and spoilt."""
import contextlib
import socket
import struct
import threading
import time

CHUNK = 64 << 10


class Proxy:
    """Listens on a free port of this host and passes on what comes, both ways, until closed.

    What is set holds for connections that are open and those to come. `spoil(number, data)` is given what the
    server sends on the number-th connection (from 0) and returns what goes on; None ends the connection there."""

    def __init__(self, host, port):
        self._to = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._listener.getsockname()[:2]
        self._lock = threading.Lock()
        self._pairs = []
        self._forgotten = []
        self._going = threading.Event()
        self._going.set()
        self._refuses = False
        self._closed = False
        self.delay_s = 0.0
        self.bytes_per_s = 0
        self.spoil = None
        self.connections = 0  # made so far
        self.bytes_from_server = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._closed = True
        self.let_go()
        self._listener.close()
        self.cut()

    # What can happen to a network.

    def cut(self):
        """Every connection is reset. New ones can be made."""
        with self._lock:
            pairs = self._pairs + (self._forgotten if self._closed else [])
            self._pairs = []
        for pair in pairs:
            for end in pair:
                _reset(end)

    def refuse(self):
        """Nothing is there any more: connections are reset, new ones too."""
        self._refuses = True
        self.cut()

    def accept(self):
        self._refuses = False

    def stall(self):
        """Nothing comes through, and nobody is told."""
        self._going.clear()

    def let_go(self):
        self._going.set()

    def forget(self):
        """Nothing more comes through the connections that are open; new ones are well."""
        with self._lock:
            self._forgotten, self._pairs = self._forgotten + self._pairs, []

    def end_server_side(self):
        """As if the server had sent all and said so: a client reads the end, but can go on writing."""
        with self._lock:
            pairs = list(self._pairs)
        for client, _ in pairs:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_WR)

    # How it does that.

    def _accept(self):
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refuses:
                _reset(client)
                continue
            try:
                server = socket.create_connection(self._to, timeout=10)
            except OSError:
                _reset(client)
                continue
            server.settimeout(None)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                number = self.connections
                self.connections += 1
                self._pairs.append((client, server))
            threading.Thread(target=self._pass_on, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(server, client, number),
                             daemon=True).start()

    def _is_forgotten(self, end):
        return any(end in pair for pair in self._forgotten)

    def _pass_on(self, source, to, number):
        """`number` is that of the connection, of what the server sends."""
        try:
            while data := source.recv(CHUNK):
                if number is not None:
                    self.bytes_from_server += len(data)
                    if self.spoil is not None:
                        data = self.spoil(number, data)
                        if data is None:
                            break
                if self.delay_s:
                    time.sleep(self.delay_s)
                if rate := self.bytes_per_s:
                    time.sleep(len(data) / rate)
                self._going.wait()
                if self._is_forgotten(source):
                    return
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)
        except OSError:
            _reset(source)
            _reset(to)
        with self._lock:
            ended = number is not None and (to, source) in self._pairs
            if ended:
                self._pairs.remove((to, source))
        if ended:
            _reset(to)
            _reset(source)


def _reset(end):
    """Closes it at once: what was sent and not read yet is lost."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads it
    end.close()
