"""An RTSP server that takes what is pushed to it; run by the Python that has GStreamer's bindings.

    python3 record_server.py PORT [--password P] [--certificate PEM]

Prints a line of JSON for each picture: its number of bytes and whether it is a key frame.
"""

import argparse
import json
import sys

import gi

for name in ("Gst", "GstRtsp", "GstRtspServer"):
    gi.require_version(name, "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402


def tell(**fields: object) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def told(sink: Gst.Element) -> Gst.FlowReturn:
    buffer = sink.emit("pull-sample").get_buffer()
    is_key = not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)
    tell(bytes=buffer.get_size(), is_key=is_key)
    return Gst.FlowReturn.OK


def configure(_factory: GstRtspServer.RTSPMediaFactory, media: GstRtspServer.RTSPMedia) -> None:
    media.get_element().get_by_name_recurse_up("out").connect("new-sample", told)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port")
    parser.add_argument("--password")
    parser.add_argument("--certificate")
    options = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service(options.port)
    factory = GstRtspServer.RTSPMediaFactory.new()
    factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
    factory.set_launch("( rtph264depay name=depay0 ! appsink name=out emit-signals=true sync=false )")
    factory.connect("media-configure", configure)
    if options.password or options.certificate:
        auth = GstRtspServer.RTSPAuth.new()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "pusher")
        if options.password:
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest("pusher", options.password, token)
        else:
            auth.set_default_token(token)
        if options.certificate:
            auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(options.certificate))
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_role("pusher")
        for right in ("access", "construct"):
            permissions.add_permission_for_role("pusher", f"media.factory.{right}", True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/in", factory)
    if not server.attach(None):
        sys.exit("no port")
    tell(port=server.get_bound_port())
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
