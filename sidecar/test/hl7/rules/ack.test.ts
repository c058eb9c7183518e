import { expect } from 'chai';
import fc from 'fast-check';
import { buildAck, hl7Timestamp, type Answer } from '../../../hl7/rules/ack.ts';
import { component, segment } from '../../../hl7/rules/message.ts';
import { parseHl7 } from '../../../hl7/rules/parse.ts';
import { hl7, hl7Text } from '../../support/hl7-messages.ts';

const NOW = new Date('2026-04-01T02:03:04.567Z');
const REFUSAL: Answer = {
  code: 'AR',
  text: 'OBR-18 is missing',
  errorCode: 101,
  location: { segment: 'OBR', ordinal: 2, field: 18 },
};

describe('acknowledgments', () => {
  it('answer AA with sender and receiver changed over, the control ID, and the event', () => {
    expect(buildAck(hl7('ADT^A08'), { code: 'AA' }, NOW, 'new-1')).to.equal(
      'MSH|^~\\&|AXIS|AXIS|RIS|CLINIC|20260401020304+0000||ACK^A08^ACK|new-1|P|2.5.1\rMSA|AA|42\r',
    );
  });

  it('say why in MSA-3 and where in ERR when they refuse', () => {
    const ack = buildAck(hl7('ORM^O01'), REFUSAL, NOW, 'new-1').split('\r');
    expect(ack.slice(1)).to.deep.equal([
      'MSA|AR|42|OBR-18 is missing',
      'ERR||OBR^2^18|101^^HL70357|E||||OBR-18 is missing',
      '',
    ]);
  });

  for (const version of ['2.1', '2.3.1', '2.4']) {
    it(`say it in ERR-1 too to a sender of HL7 ${version}`, () => {
      const message = parseHl7(`MSH|^~\\&|RIS|||||| ORM^O01|42|P|${version}\r`);
      const err = segment(parseHl7(buildAck(message, REFUSAL, NOW, 'n')), 'ERR');
      expect(err?.fields.slice(1, 3)).to.deep.equal([
        [[['OBR'], ['2'], ['18'], ['101', '', 'HL70357']]],
        [[['OBR'], ['2'], ['18']]],
      ]);
      const unplaced = buildAck(message, { code: 'AE', text: 'later', errorCode: 207 }, NOW, 'n');
      expect(unplaced).to.include('\rERR|^^^207&&HL70357||207^^HL70357|E||||later\r');
    });
  }

  it('leave ERR-2 empty where the place is not known', () => {
    const ack = buildAck(hl7('ORM^O01'), { code: 'AE', text: 'later', errorCode: 207 }, NOW, 'new-1');
    expect(ack).to.include('\rERR|||207^^HL70357|E||||later\r');
  });

  it('answer what could not be read, without a control ID', () => {
    const ack = buildAck(undefined, { code: 'AR', text: 'unreadable', errorCode: 100 }, NOW, 'new-1');
    expect(ack).to.equal(
      'MSH|^~\\&|||||20260401020304+0000||ACK|new-1|P|2.5.1\rMSA|AR||unreadable\rERR|||100^^HL70357|E||||unreadable\r',
    );
  });

  it('keep the version, the processing ID and the character set of the message', () => {
    const message = parseHl7('MSH|^~\\&|RIS|CLINIC|AXIS|AXIS|||ADT^A08|42|T|2.3.1||||||8859/1\r');
    const [msh] = parseHl7(buildAck(message, { code: 'AA' }, NOW, 'new-1')).segments;
    expect([11, 12, 18].map((field) => component(msh, field))).to.deep.equal(['T', '2.3.1', '8859/1']);
  });

  it('name a party with all of its components, and answer in the standard separators', () => {
    const message = parseHl7('MSH$*%/+$RIS*1.2*ISO$CLINIC$AXIS$A|B$$$ADT*A08$4|2$P$2.5.1\r');
    expect(buildAck(message, { code: 'AA' }, NOW, 'n')).to.match(
      /^MSH\|\^~\\&\|AXIS\|A\\F\\B\|RIS\^1\.2\^ISO\|CLINIC\|.*\rMSA\|AA\|4\\F\\2\r$/,
    );
  });

  it('can be read back whatever control ID and reason they carry', () => {
    const text = fc.string({ minLength: 1, unit: fc.constantFrom('|', '^', '&', '~', '\\', '\r', 'é', 'a', ' ') });
    fc.assert(
      fc.property(text, text, (controlId, reason) => {
        const ack = parseHl7(buildAck(hl7('ORM^O01'), { code: 'AR', text: reason, errorCode: 207 }, NOW, controlId));
        const plain = (value: string) => value.replace(/\r+/g, ' ');
        expect(ack.segments.map(({ name }) => name)).to.deep.equal(['MSH', 'MSA', 'ERR']);
        expect(component(segment(ack, 'MSH'), 10)).to.equal(plain(controlId));
        expect(component(segment(ack, 'MSA'), 3)).to.equal(plain(reason));
      }),
    );
  });

  it('are one answer to any message that can be read', () => {
    fc.assert(
      fc.property(fc.string(), (rest) => {
        let message;
        try {
          message = parseHl7(`${hl7Text('ORM^O01').slice(0, -1)}|${rest}`);
        } catch {
          return;
        }
        const ack = buildAck(message, { code: 'AA' }, NOW, 'n');
        expect(parseHl7(ack).segments.map(({ name }) => name)).to.deep.equal(['MSH', 'MSA']);
      }),
    );
  });

  it('write times in UTC with their offset', () => {
    expect(hl7Timestamp(new Date('0987-06-05T04:03:02Z'))).to.equal('09870605040302+0000');
  });
});
