import { expect } from 'chai';
import fc from 'fast-check';
import { parseHl7 } from '../../../hl7/rules/parse.ts';
import { Hl7Rejection } from '../../../hl7/rules/rejection.ts';
import { DEFAULT_IGNORED_TYPES, parseIgnoredTypes } from '../../../ris/rules/ignored-types.ts';
import { isTakenType, route } from '../../../ris/rules/message-kind.ts';
import { readIgnored } from '../../../ris/rules/read.ts';
import { hl7, rejection, SETTINGS } from '../../support/hl7-messages.ts';

const { types, problems } = parseIgnoredTypes(DEFAULT_IGNORED_TYPES, isTakenType);
const AT = new Date('2026-04-01T12:00:00Z');

describe('message types that nobody asked for', () => {
  it('are movements and appointments by default, and nothing that has an effect', () => {
    expect(problems).to.deep.equal([]);
    const events = (type: string) => [...types].filter((one) => one.startsWith(type)).map((one) => one.slice(5));
    expect(events('ADT').join(' ')).to.equal(
      '02 03 06 07 09 10 11 12 13 14 15 16 17 20 21 22 23 24 25 26 27 32 33 38 52 53 54 55 60 61 62',
    );
    expect(events('SIU')).to.have.length(15);
    for (const type of types) expect(route(hl7(type, 'EVN|'), types), type).to.equal('ignored');
  });

  it('are told by EVN-1 where MSH-9 has no event, as before HL7 2.2', () => {
    expect(route(hl7('ADT', 'EVN|A03'), types)).to.equal('ignored');
    expect(route(hl7('ADT', 'EVN|A08'), types)).to.equal('patient');
  });

  it('are refused where the setting does not name them, as all others are', () => {
    const none = parseIgnoredTypes('', isTakenType).types;
    for (const [type, code] of [
      ['SIU^S12', 200],
      ['MDM^T02', 200],
      ['ORU^R30', 201],
    ] as const) {
      expect(rejection(() => route(hl7(type), none)).errorCode, type).to.equal(code);
    }
    const ownTypes = parseIgnoredTypes(' mdm^t01-t11 , BAR^P01', isTakenType).types;
    expect([...ownTypes]).to.have.length(12);
    expect(route(hl7('MDM^T02'), ownTypes)).to.equal('ignored');
    expect(rejection(() => route(hl7('MDM^T12'), ownTypes)).errorCode).to.equal(200);
  });

  it('cannot be set to what has an effect, nor to what is no type', () => {
    for (const [text, problem] of [
      ['ADT^A08', 'entry 1: ADT^A08 has an effect and cannot be ignored'],
      ['ADT^A02,ADT^A39-A40', 'entry 2: ADT^A40 has an effect and cannot be ignored'],
      ['ORM^O01', 'entry 1: ORM^O01 has an effect and cannot be ignored'],
      ['ADT', 'entry 1: must be a type such as ADT^A03, or several such as SIU^S12-S26'],
      ['SIU^S26-S12', 'entry 1: must be a type such as ADT^A03, or several such as SIU^S12-S26'],
      ['SIU^S12-T26', 'entry 1: must be a type such as ADT^A03, or several such as SIU^S12-S26'],
    ] as const) {
      expect(parseIgnoredTypes(text, isTakenType).problems, text).to.deep.equal([problem]);
    }
  });

  it('say nothing, except an ADT that merges beside', () => {
    const said = (...segments: string[]) => {
      const { patients, merges } = readIgnored(hl7('ADT^A06', ...segments), SETTINGS, AT);
      return { patients: patients.map(({ externalId }) => externalId), merges };
    };
    const [pid, nothing] = ['PID|||P1^^^A^MR||Doe^Jane', { patients: [], merges: [] }];
    expect(said(pid)).to.deep.equal(nothing);
    expect(said()).to.deep.equal(nothing);
    expect(said(pid, 'MRG|p1^^^A^MR||ACCOUNT')).to.deep.equal(nothing);
    expect(said(pid, 'MRG|||ACCOUNT')).to.deep.equal(nothing);
    expect(said(pid, 'MRG|P2^^^A^MR')).to.deep.equal({ patients: ['P1', 'P2'], merges: [{ prior: 1, survivor: 0 }] });
    const [survivor] = readIgnored(hl7('ADT^A06', pid, 'MRG|P2^^^A^MR'), SETTINGS, AT).patients;
    expect(survivor).to.deep.equal({ externalId: 'P1', issuer: 'A' });
    expect(readIgnored(hl7('SIU^S12', pid, 'MRG|P2^^^A^MR'), SETTINGS, AT).merges).to.deep.equal([]);
  });
});

describe('the kind of a message', () => {
  it('is one of the four, or a rejection, whatever MSH-9 holds', () => {
    const names = fc.constantFrom(
      'constructor',
      '__proto__',
      'toString',
      'ADT',
      'ADT^A08',
      'ORM^hasOwnProperty',
      '^',
      '',
    );
    fc.assert(
      fc.property(fc.oneof(names, fc.string(), fc.string({ unit: 'binary' })), (type) => {
        const text = `MSH|^~\\&|RIS|CLINIC|AXIS|AXIS|20260401||${type.replace(/[\r\n|]/g, '')}|42|P|2.5.1\rPID|1\r`;
        try {
          expect(route(parseHl7(text), types)).to.be.oneOf(['order', 'report', 'patient', 'ignored']);
        } catch (error) {
          expect(error).to.be.instanceOf(Hl7Rejection);
        }
      }),
    );
  });
});
