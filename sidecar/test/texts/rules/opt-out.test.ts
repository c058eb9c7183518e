import { expect } from 'chai';
import { readOptChoice } from '../../../texts/rules/opt-out.ts';

const SID = `SM${'0123456789abcdef'.repeat(2)}`;
const NUMBER = '+61412345678';
const choice = (fields: Record<string, string | string[]>) =>
  readOptChoice({ MessageSid: SID, From: NUMBER, ...fields })?.optedOut ?? null;

describe('a message to us', () => {
  it('is taken by what Twilio says it is, whatever its text', () => {
    expect(choice({ OptOutType: 'STOP', Body: 'aufhören' })).to.equal(true);
    expect(choice({ OptOutType: 'START', Body: 'STOP' })).to.equal(false);
    expect(choice({ OptOutType: 'HELP', Body: 'STOP' })).to.equal(null);
    expect(readOptChoice({ MessageSid: SID, From: NUMBER, OptOutType: 'STOP' })).to.deep.equal({
      sid: SID,
      number: NUMBER,
      optedOut: true,
    });
  });

  for (const Body of ['STOP', 'stop', ' Stop ', 'Stop.', 'STOP!', 'stop all', 'Opt-out', 'UNSUBSCRIBE', 'CANCEL', 'END', 'QUIT', 'REVOKE', 'STOPALL']) {
    it(`opts out by “${Body}”`, () => {
      expect(choice({ Body })).to.equal(true);
    });
  } // prettier-ignore

  for (const Body of ['START', 'yes', ' Unstop ']) {
    it(`opts in again by “${Body}”`, () => {
      expect(choice({ Body })).to.equal(false);
    });
  }

  for (const Body of ['', 'HELP', 'INFO', 'please stop by at 5', 'Yes please', 'START!', 'end of the month', 'Ende', 'ESTOP', '12']) {
    it(`says nothing of texts by “${Body}”`, () => {
      expect(choice({ Body })).to.equal(null);
    });
  } // prettier-ignore

  it('counts only from a phone number, by a message with a SID', () => {
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
});
