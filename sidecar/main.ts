import './app/heap.ts';
import { loadConfig } from './app/config.ts';
import { ConfigError } from './platform/settings.ts';
import { createLog } from './platform/log.ts';
import { startSidecar } from './app/sidecar.ts';

/** Docker kills after ten seconds; nothing that is cut off is lost. */
const STOP_LIMIT_MS = 9_500;

/** Settles with the signal that asks the process to stop. */
function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, resolve);
  });
}

async function main(): Promise<number> {
  const config = loadConfig(process.env);
  const log = createLog(config.LOG_LEVEL);
  const stop = stopSignal();
  try {
    await using sidecar = await startSidecar(config, { log });
    const reason = await Promise.race([stop, sidecar.failed]);
    log.info({ reason }, 'stopping');
    setTimeout(() => {
      log.warn('stopped before all had come to its end: that is done again at the next start');
      process.exit(1);
    }, STOP_LIMIT_MS).unref();
  } catch (error) {
    log.fatal({ err: error }, 'stopped');
    return 1;
  }
  log.info('stopped');
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
