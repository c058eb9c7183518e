import { expect } from 'chai';
import fc from 'fast-check';
import { readOrderMessage } from '../../../ris/rules/order.ts';
import { isMedicareNumber, kindOf } from '../../../ris/rules/place-value.ts';
import { hl7, PID, rejection, seg, SETTINGS } from '../../support/hl7-messages.ts';

const NEW = seg('ORC', { 1: 'NW' });
const read = (obr: Readonly<Record<number, string>>, ...more: string[]) =>
  readOrderMessage(hl7('ORM^O01', PID, NEW, seg('OBR', { 24: 'CT', ...obr }), ...more), SETTINGS);
const numbers = (obr: Readonly<Record<number, string>>, ...more: string[]) => {
  const { orders, elsewhere, warnings } = read(obr, ...more);
  return {
    number: orders[0]?.study.accessionNumber,
    elsewhere: elsewhere[0],
    warned: warnings.map(({ code, field }) => `${code} ${field}`),
  };
};

describe('the places of an accession number', () => {
  for (const name of [
    'Dr Priya Raman',
    'DR. RAMAN',
    'Raman, Priya',
    'RAMAN PRIYA',
    'Prof O’Neill',
    'Dr P Raman 0398765432',
    '241775K^RAMAN^PRIYA^^^DR',
    'Smith',
    'ward',
    'A1'.repeat(33),
  ]) {
    it(`are passed over where one holds ${name.slice(0, 30)}`, () => {
      expect(numbers({ 3: '640017-CT', 18: name })).to.deep.equal({
        number: '640017-CT',
        elsewhere: [],
        warned: ['accession-passed-over OBR-18'],
      });
    });
  }

  for (const number of [
    '1',
    'RAD-2026-000123',
    '640017-CT',
    'CT 12345',
    'A1^VOYAGER^1.2.36^ISO',
    'A1^VOYAGER',
    'mr1',
  ]) {
    it(`are not passed over where one holds ${number}`, () => {
      const { number: found, warned } = numbers({ 3: 'F9', 18: number });
      expect(found).to.equal(number.split('^')[0]);
      expect(warned).to.deep.equal([]);
    });
  }

  it('are refused where none has a number, by what is in each and by the setting, never by content', () => {
    const refused = rejection(() => read({ 3: 'x'.repeat(65) + '1', 18: 'Dr Priya Raman' }, seg('IPC', { 1: '""' })));
    expect(refused).to.deep.include({
      errorCode: 101,
      location: { segment: 'OBR', ordinal: 1, field: 18 },
      message:
        'no accession number: OBR-18 holds a name, IPC-1 is deleted (""), OBR-3 is longer than 64 characters, ' +
        'ORC-3 is empty; HL7_ACCESSION_FIELDS, or accession= in HL7_SENDERS, names other fields',
    });
  });

  it('give the other numbers in their order, each once', () => {
    expect(numbers({ 2: 'P1', 3: 'F1', 18: 'A1' }, seg('IPC', { 1: 'a1' })).elsewhere).to.deep.equal(['F1']);
    expect(numbers({ 2: 'P1', 3: 'F1', 18: 'A1' }, seg('IPC', { 1: 'I1' })).elsewhere).to.deep.equal(['I1', 'F1']);
  });

  it('put an OBR-18 that differs behind OBR-2 and OBR-3 that agree', () => {
    expect(numbers({ 2: 'K41', 3: 'k41', 18: 'R2' })).to.deep.equal({
      number: 'k41',
      elsewhere: ['R2'],
      warned: ['accession-differs OBR-18'],
    });
    expect(numbers({ 2: 'K41', 3: 'K41', 18: 'K41' }).warned).to.deep.equal([]);
    expect(numbers({ 2: 'K41', 3: 'K42', 18: 'R2' }).number).to.equal('R2');
    expect(numbers({ 2: 'K41', 3: 'K41', 18: 'R2' }, seg('IPC', { 1: 'I1' })).number).to.equal('I1');
    const only = { ...SETTINGS, accessionFields: [{ segment: 'OBR', field: 18, component: 1 }] };
    const set = readOrderMessage(hl7('ORM^O01', PID, NEW, seg('OBR', { 2: 'K41', 3: 'K41', 18: 'R2' })), only);
    expect(set.orders[0]?.study.accessionNumber).to.equal('R2');
  });
});

describe('what a value is', () => {
  it('is a number where it has a digit and is short, is no name and is not empty, for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        const kind = kindOf(text);
        if (kind === 'number') expect(text).to.match(/\d/).and.have.length.below(80);
        if (text.trim() === '') expect(kind).to.equal('empty');
      }),
    );
  });

  it('is a Medicare number by its check digit', () => {
    for (const number of ['2123456701', '2123 45670 1', '21234567011']) {
      expect(isMedicareNumber(number), number).to.equal(true);
    }
    for (const number of ['2123456711', '1123456701', '212345670', 'A123456701', '208811']) {
      expect(isMedicareNumber(number), number).to.equal(false);
    }
  });
});
