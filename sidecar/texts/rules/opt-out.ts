import { callbackField, MESSAGE_SID, type CallbackFields } from './receipt.ts';

/** What a number said for or against texts, by a message to us. */
export interface OptChoice {
  /** Twilio's SID of that message. */
  readonly sid: string;
  /** E.164. */
  readonly number: string;
  readonly optedOut: boolean;
}

/** How Twilio refuses a text to a number that said STOP to it (error 21610). */
export const OPTED_OUT_CODE = 'twilio-21610';

const E164 = /^\+[1-9]\d{6,14}$/;

// Twilio's default keywords.
const STOP_WORDS = new Set(['STOP', 'STOPALL', 'UNSUBSCRIBE', 'CANCEL', 'END', 'QUIT', 'REVOKE', 'OPTOUT']);
const START_WORDS = new Set(['START', 'YES', 'UNSTOP']);

/** Whether the message opts out; `null` where it says nothing of that. */
function choiceOf(fields: CallbackFields): boolean | null {
  const type = callbackField(fields, 'OptOutType').toUpperCase();
  if (type !== '') return type === 'STOP' ? true : type === 'START' ? false : null;
  const body = callbackField(fields, 'Body').toUpperCase();
  if (START_WORDS.has(body)) return false;
  // More is taken for a STOP than Twilio itself takes ("Stop.", "opt out"): to send after it would be worse.
  return STOP_WORDS.has(body.replace(/\P{L}/gu, '')) ? true : null;
}

/**
 * What a message to us says for or against texts: by OptOutType, which Twilio adds where Advanced Opt-Out is on, else by
 * Twilio's default keywords, as the whole body. `null` for every other message, HELP among them.
 */
export function readOptChoice(fields: CallbackFields): OptChoice | null {
  const [sid, number, optedOut] = [
    callbackField(fields, 'MessageSid'),
    callbackField(fields, 'From'),
    choiceOf(fields),
  ];
  return optedOut === null || !MESSAGE_SID.test(sid) || !E164.test(number) ? null : { sid, number, optedOut };
}
