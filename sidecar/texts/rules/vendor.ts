import { Failure, type FailureKind } from '../../platform/rules/failure.ts';
import type { FoundText, WantedText } from './same-text.ts';
import type { InboundText } from './opt-out.ts';
import type { Receipt } from './receipt.ts';

/**
 * What it means that a text was not taken, in words that hold for every vendor:
 * - `this-number`: no text ever reaches this number;
 * - `opted-out`: the vendor knows that this number said STOP;
 * - `this-country`: the account may not text where this number is;
 * - `this-account`: keys, money or a suspension, so that no text goes out until a person mends it;
 * - `away`: it cannot be reached;
 * - `later`: too busy;
 * - `permanent`: for good, for another reason.
 */
export type RefusalMeaning =
  'this-number' | 'opted-out' | 'this-country' | 'this-account' | 'away' | 'later' | 'permanent';

const KINDS: Readonly<Record<RefusalMeaning, FailureKind>> = {
  'this-number': 'permanent',
  'opted-out': 'permanent',
  'this-country': 'transient',
  'this-account': 'transient',
  away: 'transient',
  later: 'transient',
  permanent: 'permanent',
};

/**
 * The vendor has certainly not taken the text. `code` is the vendor's own, for people to look up, and says nothing to
 * rules and flows: they go by `meaning`.
 */
export class Refusal extends Failure {
  readonly meaning: RefusalMeaning;

  constructor(meaning: RefusalMeaning, code: string, message: string, options?: { cause?: unknown }) {
    super(KINDS[meaning], code, message, options);
    this.name = 'Refusal';
    this.meaning = meaning;
  }
}

/** What texts are sent by. All failures are without patient data. */
export interface TextGateway {
  /**
   * One call to the vendor, never repeated by itself. Gives the vendor's own id of the text.
   * @throws Refusal where it was not taken, and Failure `ambiguous` where it may have been.
   */
  readonly send: (text: { to: string; body: string }) => Promise<{ vendorId: string }>;
  /**
   * A text to that number, taken at or after `since`, with the same reference in its link: how an ambiguous end is
   * settled. `unreadable` where the vendor keeps no bodies: then a person decides.
   * @throws Failure where the vendor's list cannot be read, which is never the same as `null`.
   */
  readonly find: (text: WantedText) => Promise<FoundText>;
  /** Whether the account works, without sending. */
  readonly check: () => Promise<AccountState>;
  /** `null` where it cannot be known whether a callback is the vendor's own: then none is taken. */
  readonly callbacks: TextCallbacks | null;
}

export interface AccountState {
  readonly active: boolean;
  /** In the vendor's words. */
  readonly status: string;
  /** It texts only numbers that were shown to the vendor before. */
  readonly trial: boolean;
}

/** The fields of a callback's body; a name that came twice has several values. */
export type CallbackFields = Readonly<Record<string, string | readonly string[]>>;

/** What a vendor posts to us. */
export interface TextCallbacks {
  /** Who posts, for logs and answers. */
  readonly vendor: string;
  /** Whether the vendor itself posted these fields to that URL. */
  readonly isGenuine: (post: { url: string; header: (name: string) => string; fields: CallbackFields }) => boolean;
  /** What became of a text; `null` where it is nothing that is known. */
  readonly receipt: (fields: CallbackFields) => Receipt | null;
  /** A message to us; `null` where it has no id. */
  readonly inbound: (fields: CallbackFields) => InboundText | null;
  /** The answer to a message to us by which the vendor sends nothing back. */
  readonly noReply: { readonly type: string; readonly body: string };
}
