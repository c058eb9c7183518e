import { expect } from 'chai';
import { optChoiceOf, type InboundText } from '../../../texts/rules/opt-out.ts';

const MESSAGE: InboundText = { vendorId: 'M1', from: '+61412345678', body: '', takenFor: null };
const choice = (said: Partial<InboundText>) => optChoiceOf({ ...MESSAGE, ...said })?.optedOut ?? null;

describe('a message to us', () => {
  it('is taken by what the vendor takes it for, whatever its text', () => {
    expect(choice({ takenFor: 'stop', body: 'aufhören' })).to.equal(true);
    expect(choice({ takenFor: 'start', body: 'STOP' })).to.equal(false);
    expect(choice({ takenFor: 'other', body: 'STOP' })).to.equal(null);
    expect(optChoiceOf({ ...MESSAGE, takenFor: 'stop' })).to.deep.equal({
      vendorId: 'M1',
      number: '+61412345678',
      optedOut: true,
    });
  });

  for (const body of ['STOP', 'stop', ' Stop ', 'Stop.', 'STOP!', 'stop all', 'Opt-out', 'UNSUBSCRIBE', 'CANCEL', 'END', 'QUIT', 'REVOKE', 'STOPALL']) {
    it(`opts out by “${body}”`, () => {
      expect(choice({ body })).to.equal(true);
    });
  } // prettier-ignore

  for (const body of ['START', 'yes', ' Unstop ']) {
    it(`opts in again by “${body}”`, () => {
      expect(choice({ body })).to.equal(false);
    });
  }

  for (const body of ['', 'HELP', 'INFO', 'please stop by at 5', 'Yes please', 'START!', 'end of the month', 'Ende', 'ESTOP', '12']) {
    it(`says nothing of texts by “${body}”`, () => {
      expect(choice({ body })).to.equal(null);
    });
  } // prettier-ignore

  it('counts only from a phone number', () => {
    expect(choice({ body: 'STOP' })).to.equal(true);
    for (const from of ['', '0412345678', 'whatsapp:+61412345678', '+0412345678', 'AXIS', '+61 412']) {
      expect(choice({ from, body: 'STOP' }), from).to.equal(null);
    }
  });
});
