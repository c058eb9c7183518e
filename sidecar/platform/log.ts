import { pino, type Logger } from 'pino';

export type Log = Logger;

/** Structured logs to stdout. Callers log ids (Orthanc, row, MSH-10) and codes only, never patient data. */
export function createLog(level: string): Log {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime });
}
