"""Drive an echo server: echo.py PROGRAM. Several peers, many bytes, half-closes, a clean stop."""
import signal
import socket
import subprocess
import sys
import threading

server = subprocess.Popen([sys.argv[1]], stdout=subprocess.PIPE, text=True)
port = int(server.stdout.readline().rsplit(":", 1)[1])


def talk(payload):
    """Send everything while reading it back; the server must close after our half-close."""
    peer = socket.create_connection(("127.0.0.1", port))

    def send():
        peer.sendall(payload)
        peer.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    received = bytearray()
    while piece := peer.recv(65536):
        received += piece
    sender.join()
    peer.close()
    return bytes(received) == payload


idle = socket.create_connection(("127.0.0.1", port))  # still connected when the server is stopped
results = [talk(b"hello\n"), talk(bytes(range(256)) * 40000), talk(b"")]
idle.sendall(b"ping")
results.append(idle.recv(4) == b"ping")
server.send_signal(signal.SIGINT)
results.append(idle.recv(1) == b"")
results.append(server.stdout.read() == "stopped\n")
results.append(server.wait(10) == 0)
passed = results.count(True)
print(f"{passed} passed, {len(results) - passed} failed")
sys.exit(passed != len(results))
