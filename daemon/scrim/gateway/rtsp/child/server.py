"""RTSP for clients that come: one shared stream, digest authentication, nobody kept who is gone."""

import logging
import socket
import time

from scrim.errors import DeviceError
from scrim.gateway.rtsp.child.gst import Gio, GLib, GstRtsp, GstRtspServer
from scrim.gateway.rtsp.child.stream import Stream
from scrim.gateway.rtsp.child.taps import SOURCE, Gate, Tap
from scrim.gateway.rtsp.limits import (
    CLEAN_S,
    GRACE_S,
    IDLE_S,
    MAX_BODY_BYTES,
    MAX_CLIENTS,
    SESSION_S,
    STALL_S,
    UNSENT_BYTES,
)
from scrim.gateway.rtsp.plan import ServePlan

log = logging.getLogger(__name__)

_ROLE = "viewer"
_SAID_AGAIN_S = 60.0
_NOT_ALLOWED = GstRtsp.RTSPStatusCode.METHOD_NOT_ALLOWED


class Server:
    """Listens.

    Args:
        plan: where, and for whom.
        stream: where the units come from.

    Raises:
        DeviceError: the address cannot be had.

    Attributes:
        port: the one it listens on.
        url: where the stream is.
    """

    def __init__(self, plan: ServePlan, stream: Stream) -> None:
        self._stream = stream
        self._refused_s = -_SAID_AGAIN_S
        self._came_s: dict[GstRtspServer.RTSPClient, float] = {}
        self._taps: dict[GstRtspServer.RTSPMedia, Tap] = {}
        server = self._server = GstRtspServer.RTSPServer.new()
        server.set_address(plan.host)
        server.set_service(str(plan.port))
        server.set_property("content-length-limit", MAX_BODY_BYTES)
        factory = self._factory()
        if plan.password:
            server.set_auth(_auth(plan.username, plan.password))
            factory.set_permissions(_permissions())
        server.get_mount_points().add_factory(plan.path, factory)
        server.connect("client-connected", self._came)
        self._listen(plan)
        self.port = int(server.get_bound_port())
        host = f"[{plan.host}]" if ":" in plan.host else plan.host
        self.url = f"rtsp://{host}:{self.port}{plan.path}"
        GLib.timeout_add_seconds(CLEAN_S, self._clean)

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._came_s)

    def close(self) -> None:
        """Let every client go."""
        self._server.client_filter(
            lambda _server, client: client.close() or GstRtspServer.RTSPFilterResult.REMOVE
        )

    def _factory(self) -> GstRtspServer.RTSPMediaFactory:
        factory = GstRtspServer.RTSPMediaFactory.new()
        factory.set_launch(
            f"( {SOURCE} ! rtph264pay name=pay0 pt=96 config-interval=-1 aggregate-mode=zero-latency )"
        )
        factory.set_shared(True)
        factory.set_protocols(GstRtsp.RTSPLowerTrans.UDP | GstRtsp.RTSPLowerTrans.TCP)
        factory.set_latency(0)
        factory.connect("media-configure", self._configure)
        return factory

    def _listen(self, plan: ServePlan) -> None:
        if self._server.attach(None):
            return
        reason = "it cannot be had"
        try:
            self._server.create_socket(None)
        except GLib.Error as error:
            reason = error.message
        raise DeviceError(f"port {plan.port} on {plan.host}: {reason}: set rtsp.port to another")

    # Some of what follows is called in the server's own thread.

    def _configure(self, _factory: GstRtspServer.RTSPMediaFactory, media: GstRtspServer.RTSPMedia) -> None:
        """A stream begins: the first client has asked for it."""
        source = media.get_element().get_by_name_recurse_up("units")
        tap = self._taps[media] = Tap(source, Gate.FIRST)
        media.connect("unprepared", self._unprepared)
        self._stream.add(tap)

    def _unprepared(self, media: GstRtspServer.RTSPMedia) -> None:
        """It ends: the last client has left."""
        tap = self._taps.pop(media, None)
        if tap is not None:
            self._stream.remove(tap)

    def _came(self, _server: GstRtspServer.RTSPServer, client: GstRtspServer.RTSPClient) -> None:
        connection = client.get_connection()
        connection.set_http_mode(True)  # or a web page could come through a tunnel, by a name it rebinds
        _let_die(connection.get_write_socket())
        self._came_s[client] = time.monotonic()
        client.connect("closed", self._left)
        client.connect("new-session", self._begun)
        client.connect("play-request", self._play)
        client.connect("pre-pause-request", lambda *_: _NOT_ALLOWED)
        if len(self._came_s) > MAX_CLIENTS:
            self._refuse(connection.get_ip())
            GLib.idle_add(client.close)  # here it is not watched yet, and would stay
            return
        log.info("client from %s", connection.get_ip())

    def _refuse(self, address: str) -> None:
        """Say so, but not to the rhythm of those who come."""
        now_s = time.monotonic()
        if now_s - self._refused_s > _SAID_AGAIN_S:
            log.warning("a client from %s is refused: %d are here", address, MAX_CLIENTS)
            self._refused_s = now_s

    def _left(self, client: GstRtspServer.RTSPClient) -> None:
        self._came_s.pop(client, None)
        log.info("a client has left; %d are here", len(self._came_s))

    def _begun(self, _client: GstRtspServer.RTSPClient, session: GstRtspServer.RTSPSession) -> None:
        session.set_timeout(SESSION_S)
        session.set_property("extra-timeout", GRACE_S)

    def _play(self, _client: GstRtspServer.RTSPClient, context: GstRtspServer.RTSPContext) -> None:
        tap = self._taps.get(context.media)
        if tap is not None:
            self._stream.open(tap)

    def _clean(self) -> bool:
        """Let go of sessions that nobody keeps up, and of connections that want nothing."""
        self._server.get_session_pool().cleanup()
        now_s = time.monotonic()
        for client, came_s in tuple(self._came_s.items()):
            if now_s - came_s > IDLE_S and not client.session_filter(None):
                client.close()
        return True


def _let_die(connection: Gio.Socket) -> None:
    """Have the kernel close a connection whose other end takes nothing, or has gone without a word."""
    tcp, stall_ms = socket.IPPROTO_TCP, STALL_S * 1000
    for level, option, value in (
        (tcp, socket.TCP_USER_TIMEOUT, stall_ms),
        (socket.SOL_SOCKET, socket.SO_SNDBUF, UNSENT_BYTES),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (tcp, socket.TCP_KEEPIDLE, STALL_S // 2),
        (tcp, socket.TCP_KEEPINTVL, STALL_S // 4),
    ):
        connection.set_option(level, option, value)


def _auth(username: str, password: str) -> GstRtspServer.RTSPAuth:
    auth = GstRtspServer.RTSPAuth.new()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    auth.set_realm("scrim")
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", _ROLE)
    auth.add_digest(username, password, token)
    return auth


def _permissions() -> GstRtspServer.RTSPPermissions:
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_role(_ROLE)
    for right in ("access", "construct"):
        permissions.add_permission_for_role(_ROLE, f"media.factory.{right}", True)
    return permissions
