import type { Hl7ErrorLocation } from './ack.ts';

/** Codes of HL7 table 0357 that a rejection can carry. */
export type Hl7ErrorCode = 100 | 101 | 102 | 103 | 200 | 201 | 202 | 204 | 207;

/**
 * A message that will never be applied as it stands: AR to the sender, kept with `message` as its reason. The text
 * names fields and rules, never their contents.
 */
export class Hl7Rejection extends Error {
  readonly errorCode: Hl7ErrorCode;
  readonly location: Hl7ErrorLocation | undefined;

  constructor(errorCode: Hl7ErrorCode, message: string, location?: Hl7ErrorLocation) {
    super(message);
    this.name = 'Hl7Rejection';
    this.errorCode = errorCode;
    this.location = location;
  }
}
