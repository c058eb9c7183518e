import { component, segment, type Hl7Message } from './message.ts';

/** HL7 v2.5.1 table 0155: always, never, on error or rejection, on success. */
type Asked = 'AL' | 'NE' | 'ER' | 'SU';

const isAsked = (text: string): text is Asked => ['AL', 'NE', 'ER', 'SU'].includes(text);

const isDue = (asked: Asked, good: boolean): boolean => asked === 'AL' || asked === (good ? 'SU' : 'ER');

/** Of table 0357 what speaks against the kind of message (type, event, processing id, version), not what it says. */
const OF_ITS_KIND = /\b20[0-3](?:\^\^|&&)HL70357/;

function withControlId(acknowledgment: string, controlId: string): string {
  const [header = '', ...rest] = acknowledgment.split('\r');
  const fields = header.split('|');
  fields[9] = controlId;
  return [fields.join('|'), ...rest].join('\r');
}

/**
 * What is sent for an acknowledgment of the original mode (AA, AE, AR), in this order. As it is, unless MSH-15 or MSH-16 of
 * the message ask for the enhanced mode (HL7 v2.5.1 chapter 2.9.3; one of them alone: the other is `NE`); then
 * - the accept acknowledgment, as MSH-15 asks. `CA` after the message was committed to the database, so that it is kept
 *   whatever happens; `CE` where it was not, so that it must be sent again; `CR` where it never will be taken: for its
 *   kind, or for what it says where MSH-16 asks for no word of that.
 * - after a `CA`, due or not, the application acknowledgment, `AA` or `AR`, as MSH-16 asks.
 *
 * Nothing at all where neither is due.
 */
export function acknowledgmentsAsked(
  message: Hl7Message | null,
  acknowledgment: string,
  newControlId: () => string,
): string[] {
  const msh = message === null ? undefined : segment(message, 'MSH');
  const [accept, application] = [15, 16].map((field) => component(msh, field).trim().toUpperCase());
  if (accept === undefined || application === undefined) return [acknowledgment];
  if (!isAsked(accept) && !isAsked(application)) return [acknowledgment];
  const [toAccept, toApply] = [accept, application].map((asked): Asked => (isAsked(asked) ? asked : 'NE'));
  if (toAccept === undefined || toApply === undefined) return [acknowledgment];
  const code = /\rMSA\|(AA|AE|AR)\b/.exec(acknowledgment)?.[1];
  if (code === undefined) return [acknowledgment];
  const good = code === 'AA';
  const told = isDue(toApply, good);
  if (code === 'AE' || (code === 'AR' && (!told || OF_ITS_KIND.test(acknowledgment)))) {
    const refused = acknowledgment.replace(/\rMSA\|A/, '\rMSA|C');
    return isDue(toAccept, false) ? [refused] : [];
  }
  const [header = '', msa = ''] = acknowledgment.split('\r');
  const [, , controlId = ''] = msa.split('|');
  const accepted = withControlId(`${header}\rMSA|CA|${controlId}\r`, newControlId());
  return [...(isDue(toAccept, true) ? [accepted] : []), ...(told ? [acknowledgment] : [])];
}
