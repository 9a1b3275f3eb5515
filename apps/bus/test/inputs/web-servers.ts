/** The real nginx and Apache of Debian, each in a folder of its own, as their pages in the docs configure them. */
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort, type RunningProcess, startProcess, waitFor } from '@rookery/testkit';

export interface WebServer extends AsyncDisposable {
  readonly port: number;
  readonly process: RunningProcess;
}

/** Why it can't be tested, or undefined. */
function missing(command: string, debianPackage: string): string | undefined {
  const found = spawnSync(command, ['-v'], { stdio: 'ignore' });
  return found.error === undefined
    ? undefined
    : `${command} is missing: Debian's package ${debianPackage} has it`;
}

export const whyNoNginx: string | undefined = missing('/usr/sbin/nginx', 'nginx');
export const whyNoApache: string | undefined = missing('/usr/sbin/apache2', 'apache2');

/** @param accessLog the `access_log` line, as the docs have it */
export async function startNginx(folder: string, accessLog: string): Promise<WebServer> {
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(' ');
  await chmod(folder, 0o755);
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; pid ${folder}/nginx.pid; error_log ${folder}/error.log; worker_processes 1;
events {}
http {
  ${temporary}
  keepalive_requests 1000000;
  ${accessLog}
  server { listen 127.0.0.1:${port}; location / { return 200 "ok"; } }
}
`,
  );
  const running = await startProcess({
    command: '/usr/sbin/nginx',
    args: ['-p', folder, '-e', `${folder}/error.log`, '-c', `${folder}/nginx.conf`],
  });
  return await whenItAnswers(port, running);
}

/** @param customLog the `CustomLog` line, as the docs have it */
export async function startApache(folder: string, customLog: string): Promise<WebServer> {
  const port = await freePort();
  await chmod(folder, 0o755);
  await mkdir(join(folder, 'html'));
  await writeFile(join(folder, 'html/index.html'), 'ok');
  const modules = ['mpm_event', 'authz_core', 'dir', 'rewrite']
    .map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`)
    .join('\n');
  await writeFile(
    join(folder, 'apache.conf'),
    `ServerRoot ${folder}
PidFile ${folder}/apache.pid
ErrorLog ${folder}/error.log
ServerName localhost
Listen 127.0.0.1:${port}
${modules}
User www-data
Group www-data
DocumentRoot ${folder}/html
RewriteEngine On
RewriteRule ^ /index.html
MaxKeepAliveRequests 0
StartServers 1
LogFormat "%h %l %u %t \\"%r\\" %>s %b \\"%{Referer}i\\" \\"%{User-agent}i\\"" combined
${customLog}
`,
  );
  const running = await startProcess({
    command: '/usr/sbin/apache2',
    args: ['-f', `${folder}/apache.conf`, '-D', 'FOREGROUND'],
  });
  return await whenItAnswers(port, running);
}

async function whenItAnswers(port: number, running: RunningProcess): Promise<WebServer> {
  await waitFor(
    () => {
      if (running.exit !== undefined) throw new Error(`it ended: ${running.output}`);
      return new Promise<boolean>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => {
          socket.destroy();
          resolve(true);
        });
        socket.on('error', () => resolve(false));
      });
    },
    { what: 'the web server to answer', detail: () => running.output },
  );
  return {
    port,
    process: running,
    // Asked, so that it takes its own processes with it.
    async [Symbol.asyncDispose]() {
      running.kill('SIGTERM');
      await running.waitForExit().catch(() => undefined);
      await running[Symbol.asyncDispose]();
    },
  };
}

/** A web server that says nothing for so long hangs. */
const ANSWER_MS = 10_000;

export interface Load {
  /** When each request was sent, by its number. */
  readonly sentAt: readonly number[];
  /** Resolves when all are answered. */
  readonly done: Promise<void>;
}

/** `GET /0` and so on over one connection, so many a second: one connection is what makes an order. */
export function request(server: WebServer, count: number, perSecond: number, from = 0): Load {
  const sentAt: number[] = [];
  const done = new Promise<void>((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1');
    let answered = 0;
    let tail = '';
    const begun = performance.now();
    const timer = setInterval(() => {
      const due = Math.min(count, Math.ceil(((performance.now() - begun) / 1000) * perSecond));
      let text = '';
      for (let index = sentAt.length; index < due; index++) {
        text += `GET /${from + index} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
        sentAt.push(performance.now());
      }
      if (text !== '') socket.write(text);
      if (sentAt.length === count) clearInterval(timer);
    }, 2);
    socket.setEncoding('latin1').on('data', (text: string) => {
      const all = tail + text;
      answered += all.split('HTTP/1.1 200').length - 1;
      // A status line that is cut in two is counted with its end.
      const last = all.lastIndexOf('HTTP/1.1 200');
      tail = (last < 0 ? all : all.slice(last + 12)).slice(-11);
      if (answered >= count) {
        socket.end();
        resolve();
      }
    });
    socket.setTimeout(ANSWER_MS, () => socket.destroy());
    socket.on('error', reject);
    socket.on('close', () => {
      clearInterval(timer);
      if (answered < count) reject(new Error(`${answered} of ${count} requests were answered`));
    });
  });
  return { sentAt, done };
}

/**
 * Linux keeps so many datagrams for a unix socket that isn't read, usually 10, and nginx drops what is beyond. The page
 * says to raise it; for the length of a block this does. False where that isn't allowed.
 */
export async function withLongQueues(): Promise<AsyncDisposable & { readonly raised: boolean }> {
  const setting = '/proc/sys/net/unix/max_dgram_qlen';
  const before = await readFile(setting, 'utf8');
  const raised = await writeFile(setting, '1000').then(
    () => true,
    () => false,
  );
  return {
    raised,
    async [Symbol.asyncDispose]() {
      if (raised) await writeFile(setting, before);
    },
  };
}
