import { expect } from 'chai';
import fc from 'fast-check';
import { findText, type ListedText } from '../../../texts/rules/same-text.ts';

const SINCE = new Date('2026-04-01T02:00:00Z');
const SKEW_MS = 60_000;
const TO = '+61412345678';
const BODY = 'Your CT results are ready! View: https://portal.example?ref=A12';
const listed = (changed: Partial<ListedText> = {}): ListedText => ({
  ...{ vendorId: 'SM1', to: TO, body: BODY, at: SINCE },
  ...changed,
});
const found = (...texts: readonly ListedText[]) => findText(texts, { to: TO, body: BODY, since: SINCE }, SKEW_MS);

describe('a text whose end is unclear', () => {
  it('is found by its number, its time and the reference in its link', () => {
    expect(found(listed())).to.deep.equal({ vendorId: 'SM1' });
    expect(found(listed({ to: '+61412345679' }))).to.equal(null);
    expect(found(listed({ at: new Date(SINCE.getTime() - SKEW_MS - 1) }))).to.equal(null);
    expect(found(listed({ body: BODY.replace('A12', 'B7') }))).to.equal(null);
  });

  it('is found whatever was written before or after its link, and in whatever letters', () => {
    for (const body of [`Trial account - ${BODY}`, `${BODY}.`, `${BODY} Reply STOP to end`, BODY.toUpperCase()]) {
      expect(found(listed({ body: body.replace('REF=', 'ref=') })), body).to.deep.equal({ vendorId: 'SM1' });
    }
  });

  it('is left to a person where a body was redacted, cut off or has another link', () => {
    for (const body of ['', ' ', 'Your CT results are ready! View: https://twil.io/x1', BODY.slice(0, -1)]) {
      expect(found(listed({ body })), body).to.equal('unreadable');
    }
  });

  it('is not one of texts before it that are known', () => {
    const wanted = { to: TO, body: BODY, since: SINCE, except: ['SM1'] };
    expect(findText([listed()], wanted, SKEW_MS)).to.equal(null);
    expect(findText([listed({ body: '' })], wanted, SKEW_MS)).to.equal(null);
  });

  it('is not taken for unsent, whatever became of its words', () => {
    const altered = fc.oneof(
      fc.constant(''),
      fc.nat({ max: BODY.length }).map((length) => BODY.slice(0, length)),
      fc.string().map((before) => `${before} ${BODY}`),
      fc.string().map((other) => other.replace(/ref=/g, '')),
    );
    fc.assert(
      fc.property(altered, (body) => {
        expect(found(listed({ body }))).not.to.equal(null);
      }),
    );
  });
});
