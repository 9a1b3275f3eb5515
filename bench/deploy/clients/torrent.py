# `torrent.py seed|fetch TORRENT FOLDER ADDRESS PORT`
import signal
import sys

import libtorrent

role, torrent, folder, address, port = sys.argv[1:]
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
session = libtorrent.session(
    {
        "listen_interfaces": f"{address}:{port}",
        "outgoing_interfaces": address,
        "alert_mask": libtorrent.alert.category_t.status_notification | libtorrent.alert.category_t.storage_notification,
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        # uTP yields to other traffic; there is none here.
        "enable_outgoing_utp": False,
        "enable_incoming_utp": False,
        "out_enc_policy": 2,
        "in_enc_policy": 2,
        # On the loopback all have one address.
        "allow_multiple_connections_per_ip": True,
        "connections_limit": 500,
        "connection_speed": 500,
        "torrent_connect_boost": 255,
        "smooth_connects": False,
        "no_connect_privileged_ports": False,
    }
)
parameters = libtorrent.add_torrent_params()
parameters.ti = libtorrent.torrent_info(torrent)
parameters.save_path = folder
parameters.flags &= ~libtorrent.torrent_flags.auto_managed
parameters.flags &= ~libtorrent.torrent_flags.paused
if role == "seed":
    parameters.flags |= libtorrent.torrent_flags.seed_mode
    session.add_torrent(parameters)
    print("ready", flush=True)
else:
    print("ready", flush=True)
    signal.sigwait([signal.SIGUSR2])
    handle = session.add_torrent(parameters)
    while not handle.status().is_seeding:
        session.wait_for_alert(100)
        session.pop_alerts()
    handle.flush_cache()
    while not any(isinstance(alert, libtorrent.cache_flushed_alert) for alert in session.pop_alerts()):
        session.wait_for_alert(100)
    print("done", flush=True)
while True:
    signal.pause()
