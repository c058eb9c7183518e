/** A message that somebody sent to us. */
export interface InboundText {
  /** The vendor's own id of that message. */
  readonly vendorId: string;
  readonly from: string;
  readonly body: string;
  /** What the vendor itself takes it for; `null` where it does not say. */
  readonly takenFor: 'stop' | 'start' | 'other' | null;
}

/** What a number said for or against texts, by a message to us. */
export interface OptChoice {
  /** The vendor's own id of that message. */
  readonly vendorId: string;
  /** E.164. */
  readonly number: string;
  readonly optedOut: boolean;
}

const E164 = /^\+[1-9]\d{6,14}$/;

// The words that carriers and vendors take for it by default.
const STOP_WORDS = new Set(['STOP', 'STOPALL', 'UNSUBSCRIBE', 'CANCEL', 'END', 'QUIT', 'REVOKE', 'OPTOUT']);
const START_WORDS = new Set(['START', 'YES', 'UNSTOP']);

/** Whether the message opts out; `null` where it says nothing of that. */
function choiceOf({ takenFor, body }: InboundText): boolean | null {
  if (takenFor !== null) return takenFor === 'stop' ? true : takenFor === 'start' ? false : null;
  const said = body.trim().toUpperCase();
  if (START_WORDS.has(said)) return false;
  // More is taken for a STOP than vendors take ("Stop.", "opt out"): to send after it would be worse.
  return STOP_WORDS.has(said.replace(/\P{L}/gu, '')) ? true : null;
}

/**
 * What a message to us says for or against texts: what the vendor takes it for, where it says, else the usual words as
 * the whole body. `null` for every other message, HELP among them, and for one that no phone number sent.
 */
export function optChoiceOf(message: InboundText): OptChoice | null {
  const { vendorId, from: number } = message;
  const optedOut = choiceOf(message);
  return optedOut === null || !E164.test(number) ? null : { vendorId, number, optedOut };
}
