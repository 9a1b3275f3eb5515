/** What the sockets of this machine can do. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

/** Whether a datagram to a group over the loopback comes back. */
export async function hasMulticast(): Promise<boolean> {
  const group = '239.77.1.2';
  const sockets: Socket[] = [];
  try {
    const hearing = await bound(group, 0);
    sockets.push(hearing);
    hearing.addMembership(group, '127.0.0.1');
    const sending = await bound('127.0.0.1', 0);
    sockets.push(sending);
    sending.setMulticastInterface('127.0.0.1');
    const heard = once(hearing, 'message');
    sending.send('probe', hearing.address().port, group);
    return await Promise.race([heard.then(() => true), delay(1000, false)]);
  } catch {
    return false;
  } finally {
    for (const socket of sockets) socket.close();
  }
}

export async function hasIpv6(): Promise<boolean> {
  try {
    (await bound('::1', 0)).close();
    return true;
  } catch {
    return false;
  }
}

async function bound(host: string, port: number): Promise<Socket> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  try {
    socket.bind(port, host);
    await once(socket, 'listening');
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}
