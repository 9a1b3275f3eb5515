"""What pylibmc sees of a server: argv is host, port and "text" or "binary"; prints one JSON object."""

import base64
import hashlib
import json
import sys

import pylibmc

host, port, wire = sys.argv[1:4]
every_byte = bytes(range(256))
megabyte = every_byte * 4096
typed = {
    "text": "plain",
    "unicode": "Grüße, 世界 🚀",
    "integer": 42,
    "negative": -7,
    "huge": 2**80,
    "float": 1.5,
    "list": [1, "two", None],
    "object": {"deep": {"er": [True]}},
    "bytes": every_byte,
}


def connect(**behaviors):
    return pylibmc.Client(["%s:%s" % (host, port)], binary=wire == "binary", behaviors=behaviors)


def same(value, wanted):
    return value == wanted and type(value) is type(wanted)


client = connect(tcp_nodelay=True)
results = {}

results["missing"] = client.get("missing")
results["set"] = client.set("plain", "hello")
results["get"] = client.get("plain")
results["again"] = client.get("plain")

for name, value in typed.items():
    client.set("typed-" + name, value)
results["typed"] = {name: same(client.get("typed-" + name), value) for name, value in typed.items()}
client.set("bytes", every_byte)
results["bytes"] = base64.b64encode(client.get("bytes")).decode()
results["empty_set"] = client.set("empty", b"")
results["empty"] = same(client.get("empty", "nothing there"), b"")
results["megabyte_set"] = client.set("megabyte", megabyte)
results["megabyte"] = hashlib.sha256(client.get("megabyte")).hexdigest()
large = "compressible " * 20_000
results["compressed_set"] = client.set("compressed", large, min_compress_len=1000)
results["compressed"] = same(client.get("compressed"), large)

for number in range(50):
    client.set("order", number)
results["order"] = [client.get("order") for _ in range(50)] == list(range(50))
failed = client.set_multi({"multi-%d" % number: number for number in range(5)})
results["multi"] = {"failed": failed, "got": client.get_multi(["multi-%d" % number for number in range(6)])}
for number in range(2):
    client.set("prefix/" + str(number), "value %d" % number)
results["prefixed"] = client.get_multi(["0", "1", "2"], key_prefix="prefix/")

results["delete_missing"] = client.delete("missing")
client.set("deleted", 1)
client.set("deleted", 2)
results["delete"] = client.delete("deleted")
results["deleted"] = client.get("deleted")
results["add"] = [client.add("added", 1), client.add("added", 2)]
results["added"] = client.get("added")
try:
    client.incr("missing")
    results["incr"] = "accepted"
except pylibmc.NotFound:
    results["incr"] = "not found"
results["touch_missing"] = client.touch("missing", 10)

with_cas = connect(cas=True)
with_cas.set("cas", "value")
value, token = with_cas.gets("cas")
results["gets"] = {"value": value, "numeric": isinstance(token, int)}

for number in range(3):
    client.set("reliable", "job %d" % number)
results["reliable"] = {
    "opened": client.get("reliable/open"),
    "next": client.get("reliable/close/open"),
    "aborted": client.get("reliable/abort"),
    "again": client.get("reliable/open"),
    "closed": client.get("reliable/close"),
    "peeked": client.get("reliable/peek"),
    "waited": client.get("reliable/t=100"),
    "timed_out": client.get("reliable/t=100"),
}

# Writes without answers, and reads behind them.
silent = connect(**{"_noreply": True})
for number in range(200):
    silent.set("noreply", number)
results["noreply"] = [silent.get("noreply") for _ in range(200)] == list(range(200))

(_, stats), = client.get_stats()
results["stats"] = {
    "version": stats["version"].decode(),
    "total_items": int(stats["total_items"]),
}
client.set("flushed", 1)
results["flush"] = [client.flush_all(), client.get("flushed")]
client.disconnect_all()

print(json.dumps(results))
