import { expect } from 'chai';
import fc from 'fast-check';
import { parseSenders } from '../../../hl7/rules/field-settings.ts';
import { foldPatient, type SaidOfPatient } from '../../../ris/rules/facts.ts';
import { readPatient } from '../../../ris/rules/patient-update.ts';
import { hl7, seg, SETTINGS } from '../../support/hl7-messages.ts';

const [FIRST, SECOND, THIRD] = ['+61491570156', '+61491570157', '+61491570158'];
const local = (number: string | undefined) => (number ?? '').replace('+61', '0');

/** What an ADT message with these fields of PID says. */
const pid = (fields: Readonly<Record<number, string>>): SaidOfPatient =>
  readPatient(hl7('ADT^A08', seg('PID', { 3: 'P1', ...fields })), SETTINGS);
const order = (fields: Readonly<Record<number, string>>) => ({ facts: pid(fields) });
const report = (fields: Readonly<Record<number, string>>) => ({ ofReport: true, facts: pid(fields) });
const phones = (...said: Parameters<typeof foldPatient>[0]) => {
  const { phoneNumber, phoneProblem, reportedPhone } = foldPatient(said);
  return { phone: phoneNumber ?? phoneProblem, reportedPhone };
};

describe('what each field of PID says of phones', () => {
  it('is kept apart: one that is silent loses nothing, one at work comes after the own', () => {
    const [own, work] = [order({ 13: local(FIRST) }), order({ 14: `${local(SECOND)}^WPN^CP` })];
    for (const said of [
      [own, work],
      [work, own],
    ])
      expect(phones(...said)).to.deep.include({ phone: FIRST });
    expect(phones(own, work, order({ 13: '""' }))).to.deep.include({ phone: SECOND });
    expect(phones(own, work, order({ 13: '""' }), order({ 14: '""' }))).to.deep.include({ phone: 'no-number' });
  });

  it('is nothing where it holds a mail address only', () => {
    const own = order({ 13: local(FIRST) });
    for (const mail of ['^NET^Internet^a@example.org', 'a@example.org^NET^X.400', '^PRN^Internet^a@example.org']) {
      expect(pid({ 13: mail }).phoneNumber, mail).to.equal(undefined);
      expect(phones(own, order({ 13: mail })), mail).to.deep.include({ phone: FIRST });
    }
  });

  it('bars a number that another field says is somebody else’s, until it says so no more', () => {
    const [own, wife] = [order({ 13: local(FIRST) }), order({ 14: `${local(FIRST)} (wife)` })];
    for (const said of [
      [own, wife],
      [wife, own],
    ])
      expect(phones(...said)).to.deep.include({ phone: 'no-mobile' });
    expect(phones(own, wife, order({ 14: local(SECOND) }))).to.deep.include({ phone: FIRST });
    expect(pid({ 13: `${local(FIRST)}~${local(FIRST)} (wife)` }).phoneNumber).to.equal(null);
  });

  it('was not kept apart by the version before: its word is on all of them', () => {
    const before = { facts: { phoneNumber: FIRST, phoneProblem: null } };
    expect(phones(order({ 14: local(SECOND) }), before)).to.deep.include({ phone: FIRST });
    expect(phones(before, order({ 13: '""' }))).to.deep.include({ phone: 'no-number' });
    expect(phones(before, { facts: { phoneNumber: null, phoneProblem: 'no-number' } })).to.deep.include({
      phone: 'no-number',
    });
  });
});

describe('a report’s word on phones', () => {
  it('counts where no order and no ADT message ever spoke of them; of several reports the newest', () => {
    const silent = order({ 5: 'Doe^Jane' });
    expect(phones(silent, report({ 13: local(FIRST) }))).to.deep.equal({ phone: FIRST, reportedPhone: undefined });
    expect(phones(report({ 13: local(FIRST) }), report({ 13: local(SECOND) }))).to.deep.include({ phone: SECOND });
  });

  it('overrules nothing, not even a deletion', () => {
    expect(phones(order({ 13: local(FIRST) }), order({ 13: '""' }), report({ 13: local(FIRST) }))).to.deep.equal({
      phone: 'no-number',
      reportedPhone: undefined,
    });
    expect(foldPatient([order({ 5: 'Doe^Jane', 7: '19800203' }), report({ 5: 'Doe^Jane Mary', 7: '' })])).to.include({
      name: 'Doe^Jane',
      birthDate: '1980-02-03',
    });
  });

  it('is told beside the known number where it is newer and another one', () => {
    const known = order({ 13: local(FIRST) });
    expect(phones(known, report({ 13: local(SECOND) }))).to.deep.equal({ phone: FIRST, reportedPhone: SECOND });
    expect(phones(report({ 13: local(SECOND) }), known)).to.deep.equal({ phone: FIRST, reportedPhone: undefined });
    expect(phones(known, report({ 13: local(SECOND) }), order({ 14: '""' }))).to.deep.equal({
      phone: FIRST,
      reportedPhone: undefined,
    });
    const both = report({ 13: local(FIRST), 14: local(SECOND) });
    expect(phones(known, both)).to.deep.equal({ phone: FIRST, reportedPhone: undefined });
    expect(phones(known, report({ 13: local(SECOND) }), report({ 13: local(FIRST) }))).to.deep.include({
      reportedPhone: undefined,
    });
    expect(phones(known, report({ 13: local(SECOND) }), report({ 5: 'Doe^Jane' }))).to.deep.include({
      reportedPhone: SECOND,
    });
    expect(phones(known, report({ 13: local(SECOND) }), order({ 13: local(THIRD) }))).to.deep.equal({
      phone: THIRD,
      reportedPhone: undefined,
    });
  });

  it('counts as an order’s where a setting lets the reports of its sender rule', () => {
    const { senders } = parseSenders('RIS: phones=reports');
    const said = readPatient(hl7('ORU^R01', seg('PID', { 3: 'P1', 13: local(SECOND) })), {
      ...SETTINGS,
      reportsRulePhones: senders[0]?.reportsRulePhones ?? false,
    });
    const believed = {
      ofReport: true,
      facts: { phoneNumber: said.phoneNumber, phones: said.phones, rulesPhones: said.rulesPhones },
    };
    expect(phones(order({ 13: local(FIRST) }), believed)).to.deep.equal({ phone: SECOND, reportedPhone: undefined });
  });

  it('never changes what is texted, whatever it is and whenever it comes, once an order has spoken', () => {
    const field = fc.constantFrom('', '""', local(FIRST), local(SECOND), `${local(THIRD)} (wife)`, '0398765432', 'x');
    const fields = fc.record({ 13: field, 14: field, 40: field });
    fc.assert(
      fc.property(fc.array(fields, { minLength: 1, maxLength: 4 }), fields, fc.nat(4), (orders, one, at) => {
        const said = [order({ 13: local(FIRST) }), ...orders.map(order)];
        const mixed = said.toSpliced(at, 0, report(one));
        expect(phones(...mixed).phone).to.equal(phones(...said).phone);
      }),
    );
  });
});
