"""The RTSP stream, held to its promises by the programs that people use: ffmpeg, ffprobe and GStreamer."""
