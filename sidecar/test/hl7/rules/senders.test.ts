import { expect } from 'chai';
import { parseHl7 } from '../../../hl7/rules/parse.ts';
import { isAllowedSender, isDoctorsTest, parseAllowedSenders, strangerAck } from '../../../hl7/rules/senders.ts';
import { testOrder } from '../../../hl7/rules/test-message.ts';

const from = (application: string, facility: string) =>
  parseHl7(`MSH|^~\\&|${application}|${facility}|AXIS|AXIS|20260401||ADT^A08|7|P|2.5.1\r`);

describe('HL7 senders that may send', () => {
  const { senders, problems } = parseAllowedSenders('Voyager|Clinic ; OTHER;');

  it('are named by MSH-3 and, where it says so, MSH-4, whatever their case', () => {
    expect(problems).to.deep.equal([]);
    const may = (application: string, facility: string) => isAllowedSender(from(application, facility), senders);
    expect(may('VOYAGER', 'CLINIC')).to.equal(true);
    expect(may('voyager ^1.2.3^ISO', 'clinic')).to.equal(true);
    expect(may('OTHER', 'ANYWHERE')).to.equal(true);
    expect(may('VOYAGER', 'ELSEWHERE')).to.equal(false);
    expect(may('VOYAGER', '')).to.equal(false);
    expect(may('', '')).to.equal(false);
    expect(isAllowedSender(null, senders)).to.equal(false);
  });

  it('are beside the doctor’s test order, that very message and no other', () => {
    const order = testOrder('DOC0123456789ABCDEF', '20260401000000+0000');
    const taken = (text: string) => isDoctorsTest(parseHl7(text), Buffer.from(text));
    expect(taken(order)).to.equal(true);
    const others = [
      order.replace('|T|', '|P|'),
      order.replace('|T|', '||'),
      order.replace('AXIS-DOCTOR|AXIS', 'AXIS-DOCTOR|ELSEWHERE'),
      order.replace('AXIS-DOCTOR^^^AXIS^MR', 'P1^^^AXIS^MR'),
      `${order}OBX|1|TX|||much more\r`,
      order.replace('DOC0123456789ABCDEF', 'DOC0123456789ABCDEFDOC'),
      order.replace('20260401000000', '20260401000000.1'),
      'MSH|^~\\&|AXIS-DOCTOR|AXIS|AXIS|AXIS|20260401||ADT^A08|7|T|2.5.1\r',
    ];
    for (const other of others) expect(taken(other), other).to.equal(false);
    expect(isDoctorsTest(null, Buffer.from(order))).to.equal(false);
  });

  it('that cannot be used are named by their place, never by their text', () => {
    const { problems: wrong } = parseAllowedSenders('A; SECRET|; |SECRET; SECRET|B|C');
    expect(wrong.map((problem) => problem.slice(0, 8))).to.deep.equal(['entry 2:', 'entry 3:', 'entry 4:']);
    expect(wrong.join()).not.to.include('SECRET');
  });

  it('are not told to a stranger, who gets AR and where it is in the message', () => {
    const lines = strangerAck(from('X', 'Y'), new Date('2026-04-01T00:00:00Z'), 'n').split('\r');
    expect(lines[1]).to.equal('MSA|AR|7|this sender (MSH-3, MSH-4) is not known here');
    expect(lines[2]).to.match(/^ERR\|\|MSH\^1\^3\|103\^\^HL70357\|E\|/);
    expect(lines.join()).not.to.match(/voyager|other/i);
    expect(strangerAck(null, new Date(), 'n')).to.include('\rMSA|AR||');
  });
});
