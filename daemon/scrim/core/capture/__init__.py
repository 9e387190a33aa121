"""Where frames come from: cameras, files, the demo and the test pattern."""
