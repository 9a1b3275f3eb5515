import { readFile } from 'node:fs/promises';
import { ServiceError } from '@rookery/service';
import type { Board } from '../page/board.ts';
import { type BoardServer, serveBoards } from '../page/server.ts';
import type { Reporter } from './report.ts';
import type { ListenAddress } from './ui-address.ts';

export interface UiFlags {
  /** True for the default address. */
  readonly ui?: ListenAddress | true;
  readonly uiTokenFile?: string;
}

const TOKEN_CHARACTERS_MIN = 16;

/**
 * Serves the page, where it is asked for, and says where.
 * @throws ServiceError `USAGE`, `LISTEN_FAILED`, `ADMIN_UNPROTECTED`
 */
export async function serveUi(
  { ui, uiTokenFile }: UiFlags,
  byDefault: ListenAddress,
  reporter: Reporter,
  boards: () => readonly Board[],
): Promise<Pick<BoardServer, 'changed' | typeof Symbol.asyncDispose>> {
  if (ui === undefined) return { changed: () => undefined, [Symbol.asyncDispose]: async () => undefined };
  const address = ui === true ? byDefault : ui;
  const token = uiTokenFile === undefined ? undefined : await readToken(uiTokenFile);
  const server = await serveBoards({ ...address, boards, ...(token === undefined ? {} : { token }) }).catch(
    (error: unknown) => {
      // The settings that the message names are those of servers.
      if (error instanceof ServiceError && error.code === 'ADMIN_UNPROTECTED') {
        throw new ServiceError(
          'USAGE',
          `--ui ${address.host} is open to the network: give --ui-token-file too`,
        );
      }
      throw error;
    },
  );
  reporter.event('ui', { url: server.url });
  reporter.say(`Its page: ${server.url}\n`);
  return server;
}

async function readToken(path: string): Promise<string> {
  const token = (await readFile(path, 'utf8')).trim();
  if (/^\S+$/.test(token) && token.length >= TOKEN_CHARACTERS_MIN) return token;
  throw new ServiceError(
    'USAGE',
    `${path}: a token is one word of at least ${TOKEN_CHARACTERS_MIN} characters`,
  );
}
