"""The control channel: JSON-RPC 2.0, one JSON object a line, on a Unix socket that only its owner can open."""
