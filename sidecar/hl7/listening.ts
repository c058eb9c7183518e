import { randomUUID } from 'node:crypto';
import type { Log } from '../platform/log.ts';
import { startHl7Listener, type Hl7Listener, type Hl7Newcomer, type InboundHl7 } from './io/listener.ts';
import type { Hl7Guard } from './io/ports.ts';
import type { Hl7ListenerSettings } from './settings.ts';

const FRAME_TIMEOUT_MS = 120_000;
const ANSWER_TIMEOUT_MS = 30_000;

/** Listens for HL7 as the settings say. */
export function startListening(
  settings: Hl7ListenerSettings,
  parts: {
    readonly admit: (newcomer: Hl7Newcomer) => string | null;
    readonly handle: (inbound: InboundHl7) => Promise<string>;
    /** So many messages at once are handed on at most. */
    readonly maxAtOnce: number;
    readonly closeTimeoutMs: number;
    readonly guard: Hl7Guard;
    readonly now: () => Date;
    readonly log: Log;
  },
): Promise<Hl7Listener> {
  return startHl7Listener({
    host: settings.HL7_HOST,
    port: settings.HL7_PORT,
    maxFrameBytes: settings.HL7_MAX_FRAME_BYTES,
    maxConnections: settings.HL7_MAX_CONNECTIONS,
    idleTimeoutMs: settings.HL7_IDLE_TIMEOUT_MS,
    frameTimeoutMs: FRAME_TIMEOUT_MS,
    answerTimeoutMs: ANSWER_TIMEOUT_MS,
    newControlId: () => randomUUID().replaceAll('-', '').slice(0, 20),
    ...parts,
  });
}
