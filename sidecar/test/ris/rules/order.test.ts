import { expect } from 'chai';
import { readOrderMessage, readStudy } from '../../../ris/rules/order.ts';
import { orderGroups } from '../../../ris/rules/order-groups.ts';
import { hl7, PID, rejection, seg, SETTINGS } from '../../support/hl7-messages.ts';

const read = (...segments: string[]) => readOrderMessage(hl7('ORM^O01', PID, ...segments), SETTINGS);
const study = (...segments: string[]) => read(...segments).orders[0]?.study;
const NEW = seg('ORC', { 1: 'NW' });

describe('reading orders', () => {
  it('reads patient, study and schedule of a whole order', () => {
    const orc = seg('ORC', { 1: 'NW', 2: 'PL1', 3: 'FI1', 5: 'SC' });
    const obr = seg('OBR', { 4: 'CTHEAD^CT Head', 18: ' ACC1 ', 24: 'CT', 36: '202604021430' });
    const { patient, orders } = read(orc, obr, seg('ZDS', { 1: '1.2.3^^Application^DICOM' }));
    expect(patient).to.include({ externalId: 'P1', issuer: 'CLINIC', phoneNumber: '+61412345678' });
    expect(orders).to.deep.equal([
      {
        status: 'active',
        study: {
          accessionNumber: 'ACC1',
          placerOrderNumber: 'PL1',
          fillerOrderNumber: 'FI1',
          studyInstanceUid: '1.2.3',
          modality: 'CT',
          procedureCode: 'CTHEAD',
          procedureDescription: 'CT Head',
          scheduled: { instant: new Date('2026-04-02T03:30:00Z'), localDate: '2026-04-02' },
        },
      },
    ]);
  });

  it('takes the accession number from the first of the configured fields that has one', () => {
    const all = [seg('ORC', { 1: 'NW', 3: 'FROM-ORC3' }), seg('OBR', { 3: 'FROM-OBR3', 18: 'FROM-OBR18' })];
    expect(study(...all)?.accessionNumber).to.equal('FROM-OBR18');
    expect(study(NEW, seg('OBR', { 3: 'FROM-OBR3' }), seg('IPC', { 1: 'FROM-IPC1' }))?.accessionNumber).to.equal(
      'FROM-IPC1',
    );
    expect(study(seg('ORC', { 1: 'NW', 3: 'FROM-ORC3' }), seg('OBR', { 3: 'X1' }))?.accessionNumber).to.equal('X1');
    expect(study(seg('ORC', { 1: 'NW', 3: 'FROM-ORC3' }), seg('OBR', { 1: '1' }))?.accessionNumber).to.equal(
      'FROM-ORC3',
    );
    const other = { ...SETTINGS, accessionFields: [{ segment: 'ORC', field: 3, component: 1 }] };
    expect(readOrderMessage(hl7('ORM^O01', PID, ...all), other).orders[0]?.study.accessionNumber).to.equal('FROM-ORC3');
  });

  it('does not take an HL7 null or blanks for an accession number', () => {
    expect(study(NEW, seg('OBR', { 3: 'FILLER1', 18: '""' }))?.accessionNumber).to.equal('FILLER1');
    expect(study(NEW, seg('OBR', { 3: 'FILLER1', 18: '  ' }))?.accessionNumber).to.equal('FILLER1');
  });

  it('reads several orders of one message, each with its own fields', () => {
    const { orders } = read(
      seg('ORC', { 1: 'NW', 2: 'A' }),
      seg('OBR', { 18: 'ACC1', 24: 'CT' }),
      seg('ORC', { 1: 'CA', 2: 'B' }),
      seg('OBR', { 18: 'ACC2', 24: 'MR' }),
      seg('IPC', { 3: '1.2.4' }),
    );
    expect(
      orders.map(({ status, study: { accessionNumber, placerOrderNumber, modality, studyInstanceUid } }) => [
        status,
        accessionNumber,
        placerOrderNumber,
        modality,
        studyInstanceUid,
      ]),
    ).to.deep.equal([
      ['active', 'ACC1', 'A', 'CT', undefined],
      ['cancelled', 'ACC2', 'B', 'MR', '1.2.4'],
    ]);
  });

  for (const [control, orderStatus, status] of [
    ['NW', '', 'active'],
    ['XO', 'IP', 'active'],
    ['SC', 'CM', 'completed'],
    ['SC', 'CA', 'cancelled'],
    ['CA', '', 'cancelled'],
    ['OC', 'IP', 'cancelled'],
    ['DC', '', 'cancelled'],
    ['HD', '', 'held'],
    ['nw', 'hd', 'held'],
    ['SC', 'HD', 'held'],
    ['SC', 'IP', 'active'],
    ['SC', 'toString', 'active'],
    ['HD', 'CM', 'held'],
    ['OH', '', 'held'],
    ['HR', '', 'held'],
    ['UR', '', 'held'],
    ['RL', '', 'active'],
    ['RL', 'HD', 'active'],
    ['OE', 'HD', 'active'],
    ['RL', 'CM', 'completed'],
    ['CR', '', 'cancelled'],
    ['OD', '', 'cancelled'],
    ['DR', '', 'cancelled'],
    ['UA', '', 'cancelled'],
    ['RQ', '', 'cancelled'],
    ['RU', '', 'cancelled'],
    ['RO', '', 'active'],
    ['RP', '', 'active'],
    ['RP', 'RP', 'cancelled'],
    ['RP', 'CM', 'completed'],
    ['RL', 'CA', 'cancelled'],
    ['UC', 'IP', 'active'],
    ['UC', 'SC', 'active'],
    ['UC', 'A', 'active'],
    ['UD', 'HD', 'held'],
    ['DE', 'DC', 'cancelled'],
  ] as const) {
    it(`reads order control ${control} with order status "${orderStatus}" as ${status}`, () => {
      expect(read(seg('ORC', { 1: control, 5: orderStatus }), seg('OBR', { 18: 'ACC1' })).orders[0]?.status).to.equal(
        status,
      );
    });
  }

  // HL7 table 0119 whole, without an ORC-5.
  for (const [status, controls] of [
    ['active', 'NW SN NA OK XO XR XX SC SR RO PA CH RE RF AF OF FU RL OR OE RP'],
    ['cancelled', 'CA CR OC DC DR OD UA RQ RU'],
    ['held', 'HD HR OH UR'],
    ['not said', 'UC UD UF UH UM UX DF RR DE SS PR CN LI UN MC OP PY'],
  ] as const) {
    it(`is ${status} by ${controls}`, () => {
      for (const control of controls.split(' ')) {
        const { orders } = read(seg('ORC', { 1: control }), seg('OBR', { 18: 'ACC1' }));
        expect(orders.map((order) => order.status).join() || 'not said', control).to.equal(status);
      }
    });
  }

  it('takes nothing from a group that says nothing of an order, which then needs no accession number', () => {
    const said = read(
      'ORC|UC|||ER',
      seg('OBR', { 4: 'CT' }),
      'ORC|PR||||CM',
      seg('OBR', { 18: 'OLD1' }),
      NEW,
      seg('OBR', { 18: 'ACC1' }),
    );
    expect(said.orders.map(({ study }) => study.accessionNumber)).to.deep.equal(['ACC1']);
    expect(read('ORC|DE||||ER', 'OBR').orders).to.deep.equal([]);
  });

  it('reads order control and order status with blanks around them, in any case', () => {
    expect(read('ORC| sc |||| cm ', seg('OBR', { 18: 'ACC1' })).orders[0]?.status).to.equal('completed');
    const replaced = read('ORC|RP', seg('OBR', { 18: 'OLD1' }), 'ORC| ro ', seg('OBR', { 18: 'NEW1' }));
    expect(replaced.orders.map(({ status }) => status)).to.deep.equal(['cancelled', 'active']);
    const alone = read('ORC|RP', seg('OBR', { 18: 'OLD1' }), 'ZXX|RO');
    expect(alone.orders.map(({ status }) => status)).to.deep.equal(['active']);
  });

  it('takes only whole codes for a modality, with blanks around them', () => {
    const modality = (code: string) => study(NEW, seg('OBR', { 18: 'ACC1', 24: code }))?.modality;
    expect([' ct ', 'CTX', 'XCT', 'MRI', ' us'].map(modality)).to.deep.equal(['CT', undefined, undefined, 'MRI', 'US']);
  });

  it('keeps texts without control characters and blanks around them', () => {
    const orc = seg('ORC', { 1: 'NW', 2: '\\X07\\', 3: ' F\\X09\\1\\X09\\2 ' });
    expect(study(orc, seg('OBR', { 4: ' CT ', 18: 'ACC1' }))).to.include({
      placerOrderNumber: undefined,
      fillerOrderNumber: 'F 1 2',
      procedureCode: 'CT',
    });
  });

  it('takes numbers from OBR where ORC has none, and the alternate description', () => {
    expect(study(NEW, seg('OBR', { 2: 'P2', 3: 'F3', 4: 'C^^L^A^Alternate^L', 18: 'ACC1' }))).to.include({
      placerOrderNumber: 'P2',
      fillerOrderNumber: 'F3',
      procedureDescription: 'Alternate',
    });
  });

  it('looks outside an order in what the message says before all orders, never in another order', () => {
    const settings = {
      ...SETTINGS,
      accessionFields: [
        { segment: 'PV1', field: 19, component: 1 },
        { segment: 'IPC', field: 1, component: 1 },
        { segment: 'OBR', field: 18, component: 1 },
      ],
    };
    const numbers = (...segments: string[]) =>
      readOrderMessage(hl7('ORM^O01', PID, ...segments), settings).orders.map((order) => order.study.accessionNumber);
    const visit = seg('PV1', { 19: 'VISIT1' });
    const obr = (number: string) => seg('OBR', { 18: number });
    expect(numbers(visit, NEW, obr('A1'))).to.deep.equal(['VISIT1']);
    expect(numbers(NEW, obr('A1'), visit, NEW, obr('B1'))).to.deep.equal(['VISIT1', 'B1']);
    const groups = orderGroups(hl7('ORU^R01', PID, obr('A1'), visit, obr('B1')));
    expect(groups.map((group) => readStudy(group, settings).accessionNumber)).to.deep.equal(['VISIT1', 'B1']);
    expect(numbers(NEW, seg('IPC', { 1: 'I1' }), NEW, obr('B1'))).to.deep.equal(['I1', 'B1']);
  });

  it('takes a value that another field deletes', () => {
    const orc = seg('ORC', { 1: 'NW', 2: '""', 3: '""' });
    expect(study(orc, seg('OBR', { 2: 'P1', 18: 'ACC1', 24: 'CT' }), seg('IPC', { 5: '""' }))).to.include({
      placerOrderNumber: 'P1',
      fillerOrderNumber: null,
      modality: 'CT',
    });
  });

  for (const [section, modality] of [
    ['RUS', 'US'],
    ['CUS', 'US'],
    ['OUS', 'US'],
    ['vus', 'US'],
    ['NMR', 'MR'],
    ['NMS', 'NM'],
    ['RX', 'XR'],
    ['LAB', undefined],
  ] as const) {
    it(`reads the diagnostic service section ${section} as the modality ${modality ?? 'of none'}`, () => {
      expect(study(NEW, seg('OBR', { 18: 'ACC1', 24: section }))?.modality).to.equal(modality);
    });
  }

  it('cuts a text too long to keep without breaking a letter', () => {
    const found = study(NEW, seg('OBR', { 4: `${'x'.repeat(1023)}\u{1F480}`, 18: 'ACC1' }))?.procedureCode;
    expect(found).to.have.length(1024);
    expect(found?.isWellFormed()).to.equal(true);
  });

  it('cancels the order that another of the same message replaces', () => {
    const { orders } = read('ORC|RP', seg('OBR', { 18: 'OLD1' }), 'ORC|RO', seg('OBR', { 18: 'NEW1' }));
    expect(orders.map(({ study, status }) => [study.accessionNumber, status])).to.deep.equal([
      ['OLD1', 'cancelled'],
      ['NEW1', 'active'],
    ]);
  });

  it('does not lose what stands behind a bare ampersand', () => {
    const orc = seg('ORC', { 1: 'NW', 2: 'P&1', 3: 'F&1' });
    expect(study(orc, seg('OBR', { 4: 'CT&1^CT Head & Neck', 18: 'A&1' }))).to.include({
      accessionNumber: 'A&1',
      placerOrderNumber: 'P&1',
      fillerOrderNumber: 'F&1',
      procedureCode: 'CT&1',
      procedureDescription: 'CT Head & Neck',
    });
  });

  it('deletes all of a field that is null as a whole', () => {
    const nulled = study(
      seg('ORC', { 1: 'NW', 2: '""', 3: '""', 7: '""' }),
      seg('OBR', { 4: '""', 18: 'ACC1' }),
      'IPC|||""',
    );
    expect(nulled).to.include({
      placerOrderNumber: null,
      fillerOrderNumber: null,
      procedureCode: null,
      procedureDescription: null,
      scheduled: null,
      studyInstanceUid: null,
    });
    expect(study(NEW, seg('OBR', { 4: '""^Chest', 18: 'ACC1' }))).to.include({
      procedureCode: null,
      procedureDescription: 'Chest',
    });
  });

  it('tells what is not said from what is deleted', () => {
    const silent = study(NEW, seg('OBR', { 18: 'ACC1' }));
    expect(silent).to.include({ modality: undefined, studyInstanceUid: undefined, scheduled: undefined });
    const deleting = study(NEW, seg('OBR', { 18: 'ACC1', 24: '""', 36: '""' }), seg('ZDS', { 1: '""' }));
    expect(deleting).to.include({ modality: null, studyInstanceUid: null, scheduled: null });
  });

  it('takes the modality from IPC-5 before OBR-24, and no department for one', () => {
    const obr = seg('OBR', { 18: 'ACC1', 24: 'RAD' });
    expect(study(NEW, obr)?.modality).to.equal(undefined);
    expect(study(NEW, obr, seg('IPC', { 5: 'mr' }))?.modality).to.equal('MR');
  });

  it('looks for the schedule in OBR-36, TQ1-7, ORC-7.4, OBR-27.4, OBR-7 and OBR-6, in that order', () => {
    const places: [string, number, string][] = [
      ['OBR', 36, '20260401'],
      ['TQ1', 7, '20260402'],
      ['ORC', 7, '^^^20260403'],
      ['OBR', 27, '^^^20260404'],
      ['OBR', 7, '20260405'],
      ['OBR', 6, '20260406'],
    ];
    for (const [index, [, , expected]] of places.entries()) {
      const given = places.slice(index);
      const fields = (name: string) =>
        Object.fromEntries(given.filter(([one]) => one === name).map(([, field, value]) => [field, value]));
      const found = study(
        seg('ORC', { 1: 'NW', ...fields('ORC') }),
        seg('TQ1', fields('TQ1')),
        seg('OBR', { 18: 'ACC1', ...fields('OBR') }),
      );
      expect(found?.scheduled?.localDate.replaceAll('-', '')).to.equal(expected.replaceAll('^', ''));
    }
  });

  it('does not take what is no time for one', () => {
    expect(study(NEW, seg('OBR', { 18: 'ACC1', 36: 'tomorrow', 7: '20260405' }))?.scheduled?.localDate).to.equal(
      '2026-04-05',
    );
  });
});

describe('refusing orders', () => {
  it('refuses one without an accession number anywhere, pointing at OBR-18 of that order', () => {
    const second = rejection(() => read(NEW, seg('OBR', { 18: 'ACC1' }), NEW, seg('OBR', { 4: 'CT' })));
    expect(second).to.deep.include({
      errorCode: 101,
      message:
        'no accession number: OBR-18 is empty, IPC-1 is empty, OBR-3 is empty, ORC-3 is empty; ' +
        'HL7_ACCESSION_FIELDS, or accession= in HL7_SENDERS, names other fields',
      location: { segment: 'OBR', ordinal: 2, field: 18 },
    });
    const bare = rejection(() => read(NEW, seg('OBR', { 18: 'ACC1' }), NEW));
    expect(bare).to.deep.include({ errorCode: 101, location: { segment: 'OBR', ordinal: 2, field: 18 } });
    const first = rejection(() => read(seg('ORC', { 1: 'NW', 3: 'F1' }), NEW, seg('OBR', { 4: 'CT' })));
    expect(first).to.deep.include({ location: { segment: 'OBR', ordinal: 1, field: 18 } });
    const blank = rejection(() => read(NEW, seg('OBR', { 3: ' "" ' })));
    expect(blank).to.include({ errorCode: 101 });
  });

  it('refuses an order control it does not know, pointing at its ORC, and one that is missing', () => {
    for (const control of ['ZZ', 'constructor', '__proto__']) {
      expect(rejection(() => read(NEW, seg('OBR', { 18: 'ACC1' }), `ORC|${control}`))).to.deep.include({
        errorCode: 103,
        message: 'ORC-1 is not an order control of table 0119',
        location: { segment: 'ORC', ordinal: 2, field: 1 },
      });
    }
    for (const none of ['', '""']) {
      expect(rejection(() => read(seg('ORC', { 1: none }), seg('OBR', { 18: 'ACC1' })))).to.include({ errorCode: 101 });
    }
  });

  it('points at OBR-18 where no place is set', () => {
    const refused = rejection(() =>
      readOrderMessage(hl7('ORM^O01', PID, NEW, seg('OBR', { 18: 'ACC1' })), { ...SETTINGS, accessionFields: [] }),
    );
    expect(refused).to.deep.include({ errorCode: 101, location: { segment: 'OBR', ordinal: 1, field: 18 } });
  });

  it('refuses a message without an ORC', () => {
    expect(rejection(() => read(seg('OBR', { 18: 'ACC1' })))).to.deep.include({
      errorCode: 100,
      message: 'ORC segment missing',
      location: { segment: 'ORC' },
    });
  });

  it('refuses a message without a patient, without a patient number, or of two patients', () => {
    const segments = [NEW, seg('OBR', { 18: 'ACC1' })];
    const refused = (...patients: string[]) =>
      rejection(() => readOrderMessage(hl7('ORM^O01', ...patients, ...segments), SETTINGS));
    expect(refused()).to.deep.include({ errorCode: 100, location: { segment: 'PID' } });
    expect(refused(seg('PID', { 5: 'Doe^Jane' }))).to.deep.include({
      errorCode: 101,
      location: { segment: 'PID', ordinal: 1, field: 3 },
    });
    expect(refused(PID, seg('PID', { 3: 'P2' }))).to.deep.include({
      errorCode: 100,
      location: { segment: 'PID', ordinal: 2 },
    });
  });

  it('never names what a field holds in its reason', () => {
    const secret = 'SECRET';
    for (const segments of [
      [seg('ORC', { 1: secret }), seg('OBR', { 18: secret })],
      [seg('ORC', { 1: 'NW' }), seg('OBR', { 4: secret })],
    ]) {
      expect(rejection(() => read(...segments)).message).not.to.include(secret);
    }
  });
});
