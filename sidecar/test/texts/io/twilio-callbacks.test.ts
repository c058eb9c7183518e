import { expect } from 'chai';
import twilio from 'twilio';
import { twilioCallbacks } from '../../../texts/io/twilio-callbacks.ts';
import { optChoiceOf } from '../../../texts/rules/opt-out.ts';
import type { CallbackFields } from '../../../texts/rules/vendor.ts';

const SID = `SM${'0123456789abcdef'.repeat(2)}`;
const NUMBER = '+61412345678';
const { receipt: readReceipt, inbound, isGenuine } = twilioCallbacks('token');

describe('Twilio’s status callbacks', () => {
  const fields = (changed: Record<string, string | string[]> = {}) => ({
    MessageSid: SID,
    MessageStatus: 'undelivered',
    ErrorCode: '30003',
    ...changed,
  });

  it('are read as receipts', () => {
    expect(readReceipt(fields())).to.deep.equal({ vendorId: SID, status: 'undelivered', errorCode: 30003 });
    expect(readReceipt({ MessageSid: SID, MessageStatus: 'delivered' })).to.deep.equal({
      vendorId: SID,
      status: 'delivered',
      errorCode: null,
    });
  });

  it('are none where the SID or the status is not one, or came twice', () => {
    for (const changed of [
      { MessageSid: '' },
      { MessageSid: 'SM1' },
      { MessageSid: `${SID}0` },
      { MessageSid: [SID, SID] },
      { MessageStatus: '' },
      { MessageStatus: 'received' },
      { MessageStatus: 'toString' },
      { MessageStatus: ['sent', 'delivered'] },
    ]) {
      expect(readReceipt(fields(changed)), JSON.stringify(changed)).to.equal(null);
    }
  });

  it('have no error code where it is not a number', () => {
    for (const ErrorCode of ['', '0', '-1', '1e9', '99999999999', "30003' OR 1"]) {
      expect(readReceipt(fields({ ErrorCode }))?.errorCode, ErrorCode).to.equal(null);
    }
  });
});

describe('Twilio’s messages to us', () => {
  const readOptChoice = (fields: CallbackFields) => {
    const message = inbound(fields);
    return message === null ? null : optChoiceOf(message);
  };
  const choice = (fields: Record<string, string | string[]>) =>
    readOptChoice({ MessageSid: SID, From: NUMBER, ...fields })?.optedOut ?? null;

  it('are taken by what Twilio says they are, whatever their text', () => {
    expect(choice({ OptOutType: 'STOP', Body: 'aufhören' })).to.equal(true);
    expect(choice({ OptOutType: 'START', Body: 'STOP' })).to.equal(false);
    expect(choice({ OptOutType: 'HELP', Body: 'STOP' })).to.equal(null);
    expect(readOptChoice({ MessageSid: SID, From: NUMBER, OptOutType: 'STOP' })).to.deep.equal({
      vendorId: SID,
      number: NUMBER,
      optedOut: true,
    });
  });

  it('are else taken by their text', () => {
    expect(choice({ Body: ' Stop ' })).to.equal(true);
    expect(choice({ Body: 'yes' })).to.equal(false);
    expect(choice({ Body: ['STOP', 'STOP'] })).to.equal(null);
  });

  it('count only from a phone number, by a message with a SID', () => {
    const stop = { MessageSid: SID, From: NUMBER, Body: 'STOP' };
    expect(readOptChoice(stop)).not.to.equal(null);
    for (const From of [
      '',
      '0412345678',
      'whatsapp:+61412345678',
      '+0412345678',
      'AXIS',
      '+61 412',
      [NUMBER, NUMBER],
    ]) {
      expect(readOptChoice({ ...stop, From }), String(From)).to.equal(null);
    }
    for (const MessageSid of ['', 'CA1', `${SID}x`]) expect(readOptChoice({ ...stop, MessageSid })).to.equal(null);
  });

  it('are genuine only where Twilio signed those fields for that URL with the account’s token', () => {
    const [url, fields] = ['https://axis.example/api/sms/inbound', { MessageSid: SID, Body: 'STOP' }];
    const signed = (token: string) => twilio.getExpectedTwilioSignature(token, url, fields);
    const genuine = (signature: string, over: Partial<{ url: string; fields: CallbackFields }> = {}) =>
      isGenuine({ url, fields, header: (name) => (name === 'X-Twilio-Signature' ? signature : ''), ...over });
    expect(genuine(signed('token'))).to.equal(true);
    expect(genuine(signed('another'))).to.equal(false);
    expect(genuine('')).to.equal(false);
    expect(genuine(signed('token'), { url: `${url}?` })).to.equal(false);
    expect(genuine(signed('token'), { fields: { ...fields, Body: 'START' } })).to.equal(false);
  });
});
