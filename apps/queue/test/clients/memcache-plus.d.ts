/** As far as the tests use it; the package brings no types. */
declare module 'memcache-plus' {
  // biome-ignore lint/style/noDefaultExport: the package has one.
  export default class MemcachePlus {
    constructor(options: { hosts: string[]; netTimeout?: number });
    set(key: string, value: unknown, expiry?: number | { compressed?: boolean }): Promise<void>;
    get(key: string, options?: { compressed?: boolean }): Promise<unknown>;
    getMulti(keys: string[]): Promise<Record<string, unknown>>;
    gets(key: string): Promise<[value: unknown, cas: string]>;
    add(key: string, value: unknown): Promise<void>;
    delete(key: string): Promise<boolean>;
    flush(delay?: number): Promise<void>;
    version(): Promise<string>;
    disconnect(): Promise<void>;
  }
}
