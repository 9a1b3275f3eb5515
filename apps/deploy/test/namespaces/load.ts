import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

// Asks every host for its version, one request after the other, and prints what changes: {host, version}, {host, error}.
// Four times a second it prints how many requests each host has answered so far.

const PAUSE_MS = 30;
const ANSWER_WITHIN_MS = 10_000;
const targets = process.argv.slice(2).map((one) => one.split('='));
const answered = new Map(targets.map(([name]) => [name!, 0]));
const say = (what: object): void => void process.stdout.write(`${JSON.stringify(what)}\n`);

function ask(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    get(url, { agent: false, signal }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => (body += part));
      response.on('end', () =>
        response.statusCode === 200 ? resolve(body) : reject(new Error(`HTTP ${response.statusCode}`)),
      );
      response.on('error', reject);
    }).on('error', reject);
  });
}

for (const [host, url] of targets) {
  void (async () => {
    let last: string | undefined;
    for (;;) {
      try {
        const version = await ask(url!);
        answered.set(host!, answered.get(host!)! + 1);
        if (version !== last) say({ host, version });
        last = version;
      } catch (error) {
        say({ host, error: (error as Error).message });
      }
      await delay(PAUSE_MS);
    }
  })();
}
setInterval(() => say({ answered: Object.fromEntries(answered) }), 250);
say({ ready: true });
