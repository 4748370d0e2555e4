"""A station with the TCP of this host's Linux, in a network namespace of its own.

Runs under `unshare -n`. Frames of a tap device go to standard output and come from standard input, each behind its
length (2 bytes, little-endian, header included) and the 10 bytes of a virtio-net header. The scenario named runs beside
that. Standard error has an empty line when the scenario is ready for the other side, then its result, a line of JSON.
The station stays on the wire until its standard input ends.
"""

import fcntl, hashlib, json, os, socket, struct, subprocess, sys, threading, time

IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
OFFLOADS = 1 | 2 | 4  # checksum, TSO4, TSO6
GATEWAY, GATEWAY6 = "10.0.2.2", "fd56:6976:6172::2"

scenario, settings = sys.argv[1], json.loads(sys.argv[2])
tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH", b"eth0", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
fcntl.ioctl(tap, TUNSETOFFLOAD, OFFLOADS if settings.get("offload") else 0)


def run(line):
    subprocess.run(line.split(), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


run("ip link set lo up")
run("ip link set eth0 address 52:54:00:12:34:56 up")
run("ip addr add 10.0.2.15/24 dev eth0")
run("ip addr add fd56:6976:6172::15/64 dev eth0 nodad")
run("ip route add default via 10.0.2.2")


def outward():
    while True:
        frame = os.read(tap, 70000)
        data = struct.pack("<H", len(frame) & 0xFFFF) + frame
        while data:
            data = data[os.write(1, data):]


def read_whole(count):
    data = b""
    while len(data) < count:
        part = os.read(0, count - len(data))
        if not part:
            os._exit(0)
        data += part
    return data


def inward():
    while True:
        (count,) = struct.unpack("<H", read_whole(2))
        try:
            os.write(tap, read_whole(count))
        except OSError:
            pass  # the kernel refuses a frame


def say(line):
    print(line, file=sys.stderr, flush=True)


def connect(port, family=socket.AF_INET):
    stream = socket.socket(family)
    stream.settimeout(60)
    stream.connect((GATEWAY if family == socket.AF_INET else GATEWAY6, port))
    return stream


def read_to_end(stream, slowly=0.0):
    digest, count = hashlib.md5(), 0
    while True:
        data = stream.recv(65536)
        if not data:
            return count, digest.hexdigest()
        count += len(data)
        digest.update(data)
        if slowly:
            time.sleep(slowly)


def pattern(count):
    block = bytes(range(251)) * 1044
    return (block * (count // len(block) + 1))[:count]


def download():
    stream = connect(settings["port"], socket.AF_INET6 if settings.get("six") else socket.AF_INET)
    time.sleep(settings.get("pause", 0))
    count, digest = read_to_end(stream, settings.get("slowly", 0))
    return {"bytes": count, "md5": digest}


def upload():
    stream = connect(settings["port"], socket.AF_INET6 if settings.get("six") else socket.AF_INET)
    data = pattern(settings["bytes"])
    stream.sendall(data)
    stream.shutdown(socket.SHUT_WR)
    count, digest = read_to_end(stream)
    return {"md5": hashlib.md5(data).hexdigest(), "answered": count, "answer": digest}


def many():
    """All connections at once, each with a message that has to come back."""
    streams = [connect(settings["port"]) for _ in range(settings["count"])]
    for number, stream in enumerate(streams):
        stream.sendall(b"%08d" % number)
    good = 0
    for number, stream in enumerate(streams):
        good += stream.recv(8, socket.MSG_WAITALL) == b"%08d" % number
    for stream in streams:
        stream.close()
    return {"good": good}


def sequence():
    """One connection after the other."""
    good = 0
    for number in range(settings["count"]):
        with connect(settings["port"]) as stream:
            stream.sendall(b"%08d" % number)
            if not settings.get("last"):
                stream.shutdown(socket.SHUT_WR)
            good += stream.recv(8, socket.MSG_WAITALL) == b"%08d" % number and stream.recv(1) == b""
    return {"good": good}


def serve():
    """Answers the connections that come in by the forwarded port."""
    server = socket.create_server(("0.0.0.0", 80), backlog=4096)
    say("")
    for _ in range(settings["count"]):
        stream, _ = server.accept()
        threading.Thread(target=lambda s=stream: (s.sendall(s.recv(8, socket.MSG_WAITALL)), s.close())).start()
    return {"good": settings["count"]}


def refused():
    try:
        connect(settings["port"])
        return {"error": None}
    except OSError as error:
        return {"error": error.errno}


wire = [threading.Thread(target=work, daemon=True) for work in (outward, inward)]
for work in wire:
    work.start()
if scenario != "serve":
    say("")
result = {"download": download, "upload": upload, "many": many, "sequence": sequence, "serve": serve, "refused": refused}[scenario]()
say(json.dumps(result))
wire[1].join()
