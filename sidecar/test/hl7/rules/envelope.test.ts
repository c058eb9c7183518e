import { expect } from 'chai';
import { envelopeOf, openEnvelope } from '../../../hl7/rules/envelope.ts';
import { MAX_ENVELOPED } from '../../../hl7/rules/limits.ts';
import { Hl7Rejection } from '../../../hl7/rules/rejection.ts';

const message = (controlId: number, more = ''): string =>
  `MSH|^~\\&|RIS|CLINIC|AXIS|AXIS|20260401||ADT^A08|${controlId}|P|2.5.1\rPID|||P1\r${more}`;
const FHS = 'FHS|^~\\&|RIS|CLINIC|AXIS|PRACTICE|20260401||||F1\r';
const BHS = 'BHS|^~\\&|RIS|CLINIC|AXIS|PRACTICE|20260401||||B1\r';
const messages = (text: string) => openEnvelope(Buffer.from(text))?.messages.map((one) => one.toString());

describe('envelopes of messages', () => {
  it('are none around a plain message', () => {
    for (const text of [message(1), '', 'PID|1', 'BHSX', message(1, 'OBX|1|TX|||BHS|^~\\&\r')]) {
      expect(messages(text)).to.equal(undefined);
    }
  });

  it('give each message byte for byte, whatever of them is there, ended by CR or LF', () => {
    const two = [message(1), message(2, 'OBX|1|TX|||MSH is a hospital\rline\r')];
    for (const [before, after] of [
      [BHS, 'BTS|2\r'],
      [FHS + BHS, 'BTS|2\rFTS|1\r'],
      [FHS, 'FTS\r'],
      [BHS, ''],
    ] as const) {
      expect(messages(before + two.join('') + after)?.map((one) => one.trim())).to.deep.equal(
        two.map((one) => one.trim()),
      );
    }
    const lines = `${BHS}${message(1)}BTS|1\r`.replaceAll('\r', '\r\n');
    expect(messages(lines)?.map((one) => one.trim())).to.deep.equal([message(1).replaceAll('\r', '\r\n').trim()]);
    const batches = `${FHS}${BHS}${message(1)}BTS|1\r${BHS}${message(2)}BTS|1\rFTS|2\r`;
    expect(messages(batches)).to.have.length(2);
  });

  it('are answered by one of their kind, with the acknowledgments in their order', () => {
    const envelope = openEnvelope(Buffer.from(`${FHS}${BHS}${message(1)}${message(2)}BTS|2\rFTS|1\r`));
    if (envelope === null) throw new Error('no envelope');
    const acks = ['MSH|1\rMSA|AA|1\r', 'MSH|2\rMSA|AR|2\r'];
    const answer = envelopeOf(envelope, acks, new Date('2026-04-01T00:00:00Z'), () => 'new');
    expect(answer.split('\r')).to.deep.equal([
      'FHS|^~\\&|AXIS|PRACTICE|RIS|CLINIC|20260401000000+0000||||new|F1',
      'BHS|^~\\&|AXIS|PRACTICE|RIS|CLINIC|20260401000000+0000||||new|B1',
      ...['MSH|1', 'MSA|AA|1', 'MSH|2', 'MSA|AR|2', 'BTS|2', 'FTS|1', ''],
    ]);
    expect(envelopeOf(envelope, [], new Date(), () => 'new')).to.equal('');
  });

  it('are refused where nothing is in them, or more than can be answered together', () => {
    expect(() => messages(`${BHS}BTS|0\r`)).to.throw(Hl7Rejection, /without a message/);
    expect(messages(BHS + message(1).repeat(MAX_ENVELOPED))).to.have.length(MAX_ENVELOPED);
    expect(() => messages(BHS + message(1).repeat(MAX_ENVELOPED + 1))).to.throw(Hl7Rejection, /more than 500 messages/);
  });
});
