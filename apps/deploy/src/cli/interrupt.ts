/** The two signals that end a command which runs until it is told to stop. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

export interface Interrupt extends Disposable {
  readonly signal: AbortSignal;
  /** Of a command that was interrupted; undefined when it wasn't. */
  readonly exitCode: number | undefined;
  /** Resolves when the command is to stop. */
  readonly interrupted: Promise<void>;
}

/** Takes over the process's signals. A second one ends the process at once, as if nobody had listened. */
export function listenForInterrupt(): Interrupt {
  const controller = new AbortController();
  let exitCode: number | undefined;
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = (name: keyof typeof EXIT_CODES): void => {
    exitCode = EXIT_CODES[name];
    remove();
    controller.abort(new Error('interrupted'));
    resolve();
  };
  const onInterrupt = (): void => stop('SIGINT');
  const onTerminate = (): void => stop('SIGTERM');
  const remove = (): void => {
    process.off('SIGINT', onInterrupt).off('SIGTERM', onTerminate);
  };
  process.on('SIGINT', onInterrupt).on('SIGTERM', onTerminate);
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
    interrupted: promise,
    [Symbol.dispose]: remove,
  };
}
