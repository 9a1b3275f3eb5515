/** npm passes a Ctrl-C on to what it started, which has had the terminal's own already. */
const SAME_SIGNAL_MS = 500;

/**
 * Runs a command that the first Ctrl-C or SIGTERM asks to end well, and the second one ends at once. Resolves to the
 * exit code: 130 or 143 after a signal, else 0.
 */
export async function interruptible(run: (signal: AbortSignal) => Promise<void>): Promise<number> {
  const controller = new AbortController();
  let interruption: { readonly code: number; readonly at: number } | undefined;
  const onSignal = (name: NodeJS.Signals): void => {
    const at = performance.now();
    if (interruption === undefined) {
      interruption = { code: name === 'SIGINT' ? 130 : 143, at };
      controller.abort();
    } else if (at - interruption.at >= SAME_SIGNAL_MS) process.exit(interruption.code);
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    await run(controller.signal);
  } catch (error) {
    if (interruption === undefined) throw error;
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
  return interruption?.code ?? 0;
}

/** Resolves when the signal has been given. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
