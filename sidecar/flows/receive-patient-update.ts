import { readPatientMessage } from '../core/adt.ts';
import type { Hl7Message } from '../core/hl7-message.ts';
import type { Hl7Settings } from '../core/hl7-settings.ts';
import { saidAt, type MessageFacts } from '../core/ris-facts.ts';

/**
 * What ADT^A08, A31 (and A01, A04, A05, A28) and the merges of A40 say. Everything of a merged patient, known or not, is
 * the survivor's, now and for whatever comes later.
 * @throws Hl7Rejection for one that will never be applied.
 */
export function receivePatientUpdate(message: Hl7Message, settings: Hl7Settings, receivedAt: Date): MessageFacts {
  const update = readPatientMessage(message, settings);
  const merges = update.kind === 'merge' ? update.merges : [];
  return {
    saidAt: saidAt(message, receivedAt, settings.timeZone),
    patients: update.kind === 'merge' ? merges.flatMap(({ patient, prior }) => [patient, prior]) : [update.patient],
    merges: merges.map((_, index) => ({ prior: index * 2 + 1, survivor: index * 2 })),
    orders: [],
    reports: [],
  };
}
