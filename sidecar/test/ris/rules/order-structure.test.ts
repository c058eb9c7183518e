import { expect } from 'chai';
import { readOrder } from '../../../ris/rules/read.ts';
import { readOrderMessage } from '../../../ris/rules/order.ts';
import { hl7, hl7Text, PID, rejection, seg, SETTINGS } from '../../support/hl7-messages.ts';
import { parseHl7 } from '../../../hl7/rules/parse.ts';

const read = (...segments: string[]) => readOrderMessage(hl7('ORM^O01', PID, ...segments), SETTINGS).orders;
const told = (...segments: string[]) =>
  read(...segments).map(({ status, study }) => [
    study.accessionNumber,
    status,
    study.placerOrderNumber,
    study.fillerOrderNumber,
  ]);

describe('several OBRs under one ORC', () => {
  const orc = seg('ORC', { 1: 'NW', 2: 'P1', 3: 'F1' });

  it('are several orders, each with the numbers of its OBR before those of the ORC', () => {
    const obrs = [1, 2, 3].map((number) => seg('OBR', { 1: String(number), 3: `F${number}`, 18: `A${number}` }));
    expect(told(orc, ...obrs)).to.deep.equal([
      ['A1', 'active', 'P1', 'F1'],
      ['A2', 'active', 'P1', 'F2'],
      ['A3', 'active', 'P1', 'F3'],
    ]);
  });

  it('do not get the accession number of the ORC where they have their own', () => {
    const { elsewhere, orders } = readOrderMessage(
      hl7('ORM^O01', PID, orc, seg('OBR', { 3: 'F1' }), seg('OBR', { 3: 'F2' })),
      SETTINGS,
    );
    expect(orders.map(({ study }) => study.accessionNumber)).to.deep.equal(['F1', 'F2']);
    expect(elsewhere).to.deep.equal([[], []]);
    expect(told(orc, seg('OBR', {}), seg('OBR', {})).map(([number]) => number)).to.deep.equal(['F1', 'F1']);
  });

  it('share what stands between the ORC and the first of them, and nothing behind it', () => {
    const times = read(
      orc,
      seg('TQ1', { 7: '202604021430' }),
      seg('OBR', { 18: 'A1' }),
      seg('ZDS', { 1: '1.2.3' }),
      seg('OBR', { 18: 'A2' }),
      seg('ORC', { 1: 'CA' }),
      seg('OBR', { 18: 'A3' }),
    ).map(({ study, status }) => [study.scheduled?.localDate, study.studyInstanceUid, status]);
    expect(times).to.deep.equal([
      ['2026-04-02', '1.2.3', 'active'],
      ['2026-04-02', undefined, 'active'],
      [undefined, undefined, 'cancelled'],
    ]);
  });

  it('are refused where no ORC stands before the first', () => {
    const refused = rejection(() => read(seg('OBR', { 18: 'A1' }), orc, seg('OBR', { 18: 'A2' })));
    expect(refused).to.deep.include({ errorCode: 101, location: { segment: 'ORC', ordinal: 1, field: 1 } });
  });
});

describe('several IPCs under one OBR', () => {
  const ipc = (number: string, uid: string, modality = 'DX') => seg('IPC', { 1: number, 3: uid, 5: modality });
  const groups = (obr: Readonly<Record<number, string>>, ...ipcs: string[]) =>
    read('ORC|NW', seg('OBR', obr), ...ipcs).map(({ study }) => [study.accessionNumber, study.studyInstanceUid]);

  it('are an order for each accession number, whatever OBR-18 and OBR-3 say', () => {
    const both = [ipc('L1', '1.2.1'), ipc('R1', '1.2.2')];
    const expected = [
      ['L1', '1.2.1'],
      ['R1', '1.2.2'],
    ];
    expect(groups({ 3: 'F1' }, ...both)).to.deep.equal(expected);
    expect(groups({ 2: 'F1', 3: 'F1', 18: 'A1' }, ...both)).to.deep.equal(expected);
    expect(groups({ 18: 'A1' }, ...both, ipc('r1', '1.2.2'))).to.deep.equal(expected);
  });

  it('are one order where they have one accession number or none', () => {
    expect(groups({ 3: 'F1' }, ipc('L1', '1.2.1'), ipc('L1', '1.2.1'))).to.deep.equal([['L1', '1.2.1']]);
    expect(groups({ 3: 'F1' }, ipc('', '1.2.1'), ipc('', '1.2.2'))).to.deep.equal([['F1', '1.2.1']]);
    expect(groups({ 18: 'A1' }, ipc('L1', '1.2.1'))).to.deep.equal([['A1', '1.2.1']]);
  });
});

describe('an order without an order control', () => {
  it('stands as its order status says', () => {
    for (const [orderStatus, status] of [
      ['SC', 'active'],
      ['IP', 'active'],
      ['CA', 'cancelled'],
      ['HD', 'held'],
      ['CM', 'completed'],
    ] as const)
      // prettier-ignore
      expect(told(seg('ORC', { 5: orderStatus }), seg('OBR', { 18: 'A1' }))[0]?.[1], orderStatus).to.equal(status);
  });

  it('is refused where that says nothing either', () => {
    for (const orderStatus of ['', 'ER', 'XX']) {
      expect(rejection(() => read(seg('ORC', { 5: orderStatus }), seg('OBR', { 18: 'A1' })))).to.include({
        errorCode: 101,
      });
    }
  });
});

describe('what is odd in an order', () => {
  const received = new Date('2026-04-01T01:30:00Z');
  const warned = (msh7: string, pid: string, obr: Readonly<Record<number, string>>) => {
    const text = hl7Text('ORM^O01', pid, 'ORC|NW', seg('OBR', { 18: 'A1', 24: 'CT', ...obr }));
    const facts = readOrder(parseHl7(text.replace('20260401120000', msh7)), SETTINGS, received);
    return { said: facts.saidAt, codes: facts.warnings.map(({ code, field }) => `${code} ${field}`) };
  };

  it('is nothing where nothing is, and a fraction of a second or a time with 16 digits is nothing odd', () => {
    expect(warned('20260401120000', PID, { 7: '2026113010150900' }).codes).to.deep.equal([]);
  });

  it('is a time that cannot be read, which refuses nothing', () => {
    for (const time of ['Y232215859', '20261399', 'yesterday']) {
      expect(warned(time, PID, { 7: time })).to.deep.equal({
        said: received,
        codes: ['time-unreadable MSH-7', 'time-unreadable OBR-7'],
      });
    }
  });

  it('is a birth date that cannot be read, and a number whose note says that it is somebody else’s', () => {
    const pid = seg('PID', { 3: 'P1', 7: '1980', 13: '0412 345 678 (wife)' });
    expect(warned('20260401120000', pid, {}).codes).to.deep.equal([
      'birth-date-unreadable PID-7',
      'phone-not-used PID-13, PID-14, PID-40',
    ]);
  });

  it('is told once, however many orders there are', () => {
    const obr = seg('OBR', { 3: 'A1', 18: 'Dr Jane Roe', 24: 'CT' });
    const { warnings } = readOrderMessage(hl7('ORM^O01', PID, 'ORC|NW', obr, obr), SETTINGS);
    expect(warnings).to.deep.equal([{ code: 'accession-passed-over', field: 'OBR-18', detail: 'holds a name' }]);
  });
});
