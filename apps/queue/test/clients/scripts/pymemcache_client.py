"""What pymemcache sees of a server: argv is host and port; prints one JSON object."""

import base64
import hashlib
import json
import sys

from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient
from pymemcache.exceptions import MemcacheError
from pymemcache.serde import pickle_serde

address = (sys.argv[1], int(sys.argv[2]))
every_byte = bytes(range(256))
megabyte = every_byte * 4096
typed = {
    "text": "plain",
    "unicode": "Grüße, 世界 🚀",
    "integer": 42,
    "negative": -7,
    "float": 1.5,
    "list": [1, "two", None],
    "object": {"deep": {"er": [True]}},
    "boolean": True,
    "bytes": every_byte,
}


def same(value, wanted):
    return value == wanted and type(value) is type(wanted)


client = Client(address, timeout=10)
waiting = Client(address, timeout=10, default_noreply=False)
results = {}

results["version"] = client.version().decode()
results["missing"] = client.get("missing")
results["set"] = waiting.set("plain", b"hello")
results["get"] = waiting.get("plain").decode()
results["again"] = waiting.get("plain")

# noreply is pymemcache's default: no answer may come to any of these, and the get behind them has one.
for number in range(1000):
    client.set("noreply", b"%d" % number)
results["noreply"] = [client.get("noreply").decode() for _ in range(1000)] == [str(n) for n in range(1000)]

client.set("cas", b"first")
value, token = client.gets("cas")
results["gets"] = {"value": value.decode(), "numeric": token.isdigit()}
client.set_many({"many-%d" % number: b"value %d" % number for number in range(5)})
results["many"] = {key: value.decode() for key, value in client.get_many(["many-%d" % n for n in range(6)]).items()}
waiting.set("many-cas", b"x")
results["gets_many"] = [value.decode() for value, _ in client.gets_many(["many-cas", "missing"]).values()]

client.set("bytes", every_byte)
results["bytes"] = base64.b64encode(client.get("bytes")).decode()
waiting.set("lines", b"\r\nEND\r\nVALUE x 0 1\r\n")
results["lines"] = waiting.get("lines").decode()
results["empty_set"] = waiting.set("empty", b"")
results["empty"] = waiting.get("empty", default=b"nothing there").decode()
results["megabyte_set"] = waiting.set("megabyte", megabyte)
results["megabyte"] = hashlib.sha256(waiting.get("megabyte")).hexdigest()

# The serializer tells a value's type by the flags alone.
pickling = Client(address, timeout=10, serde=pickle_serde)
for name, value in typed.items():
    pickling.set("typed-" + name, value)
results["typed"] = {name: same(pickling.get("typed-" + name), value) for name, value in typed.items()}
large = ["item"] * 20_000
pickling.set("large", large)
results["large"] = same(pickling.get("large"), large)

results["delete_missing"] = waiting.delete("missing")
waiting.set("deleted", b"1")
waiting.set("deleted", b"2")
results["delete"] = waiting.delete("deleted")
results["deleted"] = waiting.get("deleted")
client.delete("deleted")
client.delete_many(["deleted", "missing"])
results["after_noreply_delete"] = client.get("missing")

# add stores into an empty queue only; cas, append and incr have no meaning here, and are refused without harm.
results["add"] = [waiting.add("added", b"1"), waiting.add("added", b"2")]
results["append"] = waiting.append("added", b"x")
results["cas"] = waiting.cas("added", b"x", b"1")
try:
    waiting.incr("added", 1)
    results["incr"] = "accepted"
except MemcacheError as error:
    results["incr"] = type(error).__name__
results["added"] = waiting.get("added").decode()
results["touch_missing"] = waiting.touch("missing", 10)

for number in range(3):
    client.set("reliable", b"job %d" % number)
results["reliable"] = {
    "opened": client.get("reliable/open").decode(),
    "next": client.get("reliable/close/open").decode(),
    "aborted": client.get("reliable/abort"),
    "again": client.get("reliable/open").decode(),
    "closed": client.get("reliable/close"),
    "peeked": client.get("reliable/peek").decode(),
    "waited": client.get("reliable/t=100").decode(),
    "timed_out": client.get("reliable/t=100"),
}

stats = client.stats()
results["stats"] = {"version": stats[b"version"].decode(), "total_items": int(stats[b"total_items"])}
results["expired"] = [waiting.set("expiring", b"x", expire=-1), waiting.get("expiring")]
waiting.set("flushed", b"x")
results["flush"] = [waiting.flush_all(), waiting.get("flushed")]

pooled = PooledClient(address, timeout=10, max_pool_size=3)
pooled.set("pooled", b"x")
results["pooled"] = pooled.get("pooled").decode()
hashed = HashClient([address], timeout=10)
hashed.set_many({"hashed": b"x"})
results["hashed"] = hashed.get_many(["hashed"])["hashed"].decode()
client.quit()

print(json.dumps(results))
