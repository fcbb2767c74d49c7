#!/usr/bin/env bash
# Drive the server with real peers.
exec python3 "$(dirname "$0")/echo.py" "$1"
