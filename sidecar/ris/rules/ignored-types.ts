/** The reasons of refusals that no change of a message mends: nobody here takes its type. */
export const NOBODY_TAKES = {
  type: 'this message type is not taken',
  event: 'this event is not taken',
  adt: 'this ADT event is not taken',
} as const;

/** Message types as MSH-9 has them (`ADT^A03`) that are acknowledged and have no effect. */
export type IgnoredTypes = ReadonlySet<string>;

/**
 * Movements and appointments (HL7 v2.5.1 chapters 3.3 and 10.4), which a RIS or hospital sends to everybody: nothing that
 * is kept here follows from them.
 */
export const DEFAULT_IGNORED_TYPES =
  'ADT^A02-A03,ADT^A06-A07,ADT^A09-A17,ADT^A20-A27,ADT^A32-A33,ADT^A38,ADT^A52-A55,ADT^A60-A62,SIU^S12-S26';

const ENTRY = /^([A-Z]{3})\^([A-Z])(\d{2})(?:-([A-Z])(\d{2}))?$/;

/** `ADT^A02,SIU^S12-S26`: types and ranges of events. Gives every problem, by the number of its entry. */
export function parseIgnoredTypes(
  text: string,
  isTaken: (type: string, event: string) => boolean,
): { readonly types: IgnoredTypes; readonly problems: readonly string[] } {
  const types = new Set<string>();
  const problems: string[] = [];
  const entries = text.split(',').filter((entry) => entry.trim() !== '');
  for (const [index, entry] of entries.entries()) {
    const match = ENTRY.exec(entry.trim().toUpperCase());
    const [, type = '', letter = '', first = '', lastLetter = letter, last = first] = match ?? [];
    if (match === null || lastLetter !== letter || Number(last) < Number(first)) {
      problems.push(`entry ${index + 1}: must be a type such as ADT^A03, or several such as SIU^S12-S26`);
      continue;
    }
    for (let number = Number(first); number <= Number(last); number += 1) {
      const event = `${letter}${String(number).padStart(2, '0')}`;
      if (isTaken(type, event))
        problems.push(`entry ${index + 1}: ${type}^${event} has an effect and cannot be ignored`);
      else types.add(`${type}^${event}`);
    }
  }
  return { types, problems };
}
