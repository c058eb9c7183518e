import { expect } from 'chai';
import fc from 'fast-check';
import {
  checkTemplate,
  DEFAULT_TEMPLATE,
  nextSendTime,
  parseSmsHours,
  smsText,
  withinSmsHours,
  type SmsHours,
} from '../../../texts/rules/wording.ts';

const MELBOURNE = 'Australia/Melbourne';
const hours = (text: string): SmsHours => {
  const parsed = parseSmsHours(text);
  if (parsed === null) throw new Error('not hours');
  return parsed;
};
const content = {
  template: DEFAULT_TEMPLATE,
  modality: 'CT',
  portalUrl: 'https://portal.example/view',
  accessionNumber: 'ACC1',
};

describe('the text', () => {
  it('names the modality in plain words and the study by its accession number', () => {
    expect(smsText(content)).to.equal('Your CT results are ready! View: https://portal.example/view?ref=ACC1');
    for (const [modality, words] of [
      ['MR', 'MRI'],
      ['us', 'ultrasound'],
      ['DX', 'X-ray'],
      [' MG ', 'mammogram'],
      ['ZZ', 'imaging'],
      ['', 'imaging'],
    ] as const) {
      expect(smsText({ ...content, modality }), modality).to.match(new RegExp(`^Your ${words} results`));
    }
  });

  it('keeps what an accession number holds from changing the address', () => {
    const url = new URL(/https:\S+/.exec(smsText({ ...content, accessionNumber: 'A/1 &x=2#é' }))?.[0] ?? '');
    expect(url.searchParams.get('ref')).to.equal('A/1 &x=2#é');
  });

  it('gives no phone a letter at which it could cut the link, and never fails', () => {
    const link = (accessionNumber: string) => /https:\S+/.exec(smsText({ ...content, accessionNumber }))?.[0];
    expect(link("A(1)!*'.")).to.match(/\?ref=A%281%29%21%2A%27%2E$/);
    expect(link('A\ud800')).to.match(/\?ref=A%EF%BF%BD$/);
  });

  it('adds to an address that has a question already', () => {
    expect(smsText({ ...content, portalUrl: 'https://portal.example/?lang=en' })).to.match(/\?lang=en&ref=ACC1$/);
  });

  it('fills each place in once, and never what was filled in', () => {
    const template = '{accession}: {modality} {url} {other} $& {modality}';
    expect(smsText({ ...content, template, accessionNumber: '{url}' })).to.equal(
      '{url}: CT https://portal.example/view?ref=%7Burl%7D {other} $& CT',
    );
  });

  it('may have a template of its own that names the address', () => {
    expect(checkTemplate(DEFAULT_TEMPLATE)).to.equal(null);
    expect(checkTemplate('{accession} {modality} {url}')).to.equal(null);
    expect(checkTemplate('Results are ready')).to.equal('must contain {url}');
    expect(checkTemplate('{url} {name}')).to.equal('may contain {practice}, {modality}, {url} and {accession} only');
    expect(checkTemplate(`{url}${'x'.repeat(300)}`)).to.equal('must not be longer than 300 characters');
  });
});

describe('the hours of texts', () => {
  it('are read as two times', () => {
    expect(parseSmsHours('08:00-20:30')).to.deep.equal({ from: 480, to: 1230 });
    expect(parseSmsHours(' 00:00-24:00 ')).to.deep.equal({ from: 0, to: 1440 });
    expect(parseSmsHours('20:00-08:00')).to.deep.equal({ from: 1200, to: 480 });
  });

  for (const text of [
    '',
    '8-20',
    '08:00',
    '08:00-08:00',
    '24:00-08:00',
    '08:60-20:00',
    '08:00-24:01',
    '08:00-25:00',
    'always',
  ]) {
    it(`are not ${JSON.stringify(text)}`, () => {
      expect(parseSmsHours(text)).to.equal(null);
    });
  }

  for (const [text, at, expected] of [
    ['08:00-20:00', '2026-07-14T21:59:59Z', false],
    ['08:00-20:00', '2026-07-14T22:00:00Z', true],
    ['08:00-20:00', '2026-07-15T09:59:59Z', true],
    ['08:00-20:00', '2026-07-15T10:00:00Z', false],
    ['08:00-20:00', '2026-01-14T21:00:00Z', true],
    ['20:00-08:00', '2026-07-15T10:00:00Z', true],
    ['20:00-08:00', '2026-07-14T21:59:00Z', true],
    ['20:00-08:00', '2026-07-14T22:00:00Z', false],
    ['00:00-24:00', '2026-07-15T14:00:00Z', true],
  ] as const) {
    it(`${text} ${expected ? 'have' : 'do not have'} ${at} in them in Melbourne`, () => {
      expect(withinSmsHours(new Date(at), hours(text), MELBOURNE)).to.equal(expected);
    });
  }

  it('let a text go at once within them, and else when they open next', () => {
    const next = (at: string) => nextSendTime(new Date(at), hours('08:00-20:00'), MELBOURNE).toISOString();
    expect(next('2026-07-15T01:02:03.456Z')).to.equal('2026-07-15T01:02:03.456Z');
    expect(next('2026-07-15T10:00:00.000Z')).to.equal('2026-07-15T22:00:00.000Z');
    expect(next('2026-07-15T21:59:59.999Z')).to.equal('2026-07-15T22:00:00.000Z');
  });

  it('open by the clock on the wall over a change of summer time', () => {
    const next = (at: string) => nextSendTime(new Date(at), hours('08:00-20:00'), MELBOURNE).toISOString();
    expect(next('2026-04-04T12:00:00Z')).to.equal('2026-04-04T22:00:00.000Z');
    expect(next('2026-10-03T12:00:00Z')).to.equal('2026-10-03T21:00:00.000Z');
  });

  it('never hold a text that may go, never let one go that may not, and never hold one for longer than a day and an hour', () => {
    const minute = fc.integer({ min: 0, max: 1439 });
    const moment = fc.date({ min: new Date('2026-01-01'), max: new Date('2027-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(moment, minute, minute, (now, from, to) => {
        if (from === to) return;
        const next = nextSendTime(now, { from, to }, MELBOURNE);
        expect(withinSmsHours(next, { from, to }, MELBOURNE)).to.equal(true);
        expect(next.getTime() - now.getTime()).to.be.within(0, 25 * 3_600_000);
        if (withinSmsHours(now, { from, to }, MELBOURNE)) expect(next).to.equal(now);
      }),
      { numRuns: 30 },
    );
  });
});
