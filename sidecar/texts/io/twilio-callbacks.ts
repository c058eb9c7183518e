import twilio from 'twilio';
import type { CallbackFields, TextCallbacks } from '../rules/vendor.ts';
import type { InboundText } from '../rules/opt-out.ts';
import { DELIVERY_STATUSES, type Receipt } from '../rules/receipt.ts';

/** A message's SID at Twilio. */
const MESSAGE_SID = /^(?:SM|MM)[0-9a-f]{32}$/;

/** The one value of a field, trimmed; empty for one that is not there or came twice. */
function fieldOf(fields: CallbackFields, name: string): string {
  const value = fields[name];
  return typeof value === 'string' ? value.trim() : '';
}

function readReceipt(fields: CallbackFields): Receipt | null {
  const vendorId = fieldOf(fields, 'MessageSid');
  const status = DELIVERY_STATUSES.find((one) => one === fieldOf(fields, 'MessageStatus').toLowerCase());
  if (status === undefined || !MESSAGE_SID.test(vendorId)) return null;
  const code = fieldOf(fields, 'ErrorCode');
  return { vendorId, status, errorCode: /^[1-9]\d{0,5}$/.test(code) ? Number(code) : null };
}

/** By OptOutType, which Twilio adds where Advanced Opt-Out is on. */
function takenFor(type: string): InboundText['takenFor'] {
  if (type === '') return null;
  return type === 'STOP' ? 'stop' : type === 'START' ? 'start' : 'other';
}

function readInbound(fields: CallbackFields): InboundText | null {
  const vendorId = fieldOf(fields, 'MessageSid');
  if (!MESSAGE_SID.test(vendorId)) return null;
  return {
    vendorId,
    from: fieldOf(fields, 'From'),
    body: fieldOf(fields, 'Body'),
    takenFor: takenFor(fieldOf(fields, 'OptOutType').toUpperCase()),
  };
}

/**
 * Twilio's callbacks. One is genuine where whoever posted it knows the account's token (X-Twilio-Signature; see
 * "Validating requests" of Twilio's documentation), compared in constant time.
 */
export function twilioCallbacks(authToken: string): TextCallbacks {
  return {
    vendor: 'Twilio',
    isGenuine: ({ url, header, fields }) =>
      twilio.validateRequest(authToken, header('X-Twilio-Signature'), url, fields),
    receipt: readReceipt,
    inbound: readInbound,
    // Twilio answers STOP and the like itself.
    noReply: { type: 'text/xml', body: '<?xml version="1.0" encoding="UTF-8"?><Response/>' },
  };
}
