import { expect } from 'chai';
import pino from 'pino';
import { z } from 'zod';
import { loadConfig } from '../../app/config.ts';
import { freePort } from '../../dev/child.ts';
import { adt, orm, oru } from '../../dev/ris-messages.ts';
import { startSidecar } from '../../app/sidecar.ts';
import { orderOf, reportOf } from '../support/people.ts';
import { eventually, startRig, type Rig } from '../support/rig.ts';
import {
  kept,
  newSid,
  patientOf,
  postCallback,
  startDesk,
  taken,
  textOf,
  textsTo,
} from '../support/twilio-callbacks.ts';

type Desk = Awaited<ReturnType<typeof startDesk>>;

describe('Twilio’s callbacks of messages to us', () => {
  let desk: Desk;
  let rig: Rig;
  before(async () => {
    desk = await startDesk();
    ({ rig } = desk);
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  it('keep STOP: no text goes to that number, and a person sees why', async () => {
    const { mobile } = patientOf(10);
    const answer = await desk.inbound(mobile, 'Stop');
    expect(answer.type).to.match(/^text\/xml/);
    expect(answer.body).to.equal('<?xml version="1.0" encoding="UTF-8"?><Response/>');
    const { accession } = await desk.reported(10);
    expect(textsTo(rig, mobile)).to.have.length(0);
    expect(await desk.listed(accession)).to.deep.equal([
      { kind: 'text-held', subject: accession, reason: 'opted-out' },
    ]);
  });

  it('keep START, which lets the held text go, once', async () => {
    const { mobile } = patientOf(11);
    await desk.inbound(mobile, 'STOP');
    const { accession } = await desk.reported(11);
    expect(await textOf(rig, accession)).to.include({ state: 'held', reason: 'opted-out' });
    for (const said of ['START', 'YES']) await desk.inbound(mobile, said);
    await rig.settled();
    expect(textsTo(rig, mobile)).to.have.length(1);
    expect(await textOf(rig, accession)).to.include({ state: 'sent', reason: null });
  });

  it('that come again change nothing: neither STOP after START nor START after STOP', async () => {
    const [one, two] = [patientOf(12), patientOf(13)];
    const [stop, start] = [newSid(), newSid()];
    await desk.inbound(one.mobile, 'STOP', stop);
    await desk.inbound(one.mobile, 'START');
    for (let time = 0; time < 3; time += 1) await desk.inbound(one.mobile, 'STOP', stop);
    await desk.inbound(two.mobile, 'START', start);
    await desk.inbound(two.mobile, 'STOP');
    await Promise.all(Array.from({ length: 3 }, () => desk.inbound(two.mobile, 'START', start)));
    await desk.reported(12);
    await desk.reported(13);
    expect([textsTo(rig, one.mobile).length, textsTo(rig, two.mobile).length]).to.deep.equal([1, 0]);
  });

  it('that say HELP or anything else change nothing', async () => {
    const { mobile } = patientOf(14);
    const before = await kept(rig);
    for (const said of ['HELP', 'thank you', 'please stop by', '']) await desk.inbound(mobile, said);
    await desk.inbound(mobile, 'STOP', newSid(), { OptOutType: 'HELP' });
    await desk.inbound('AXIS', 'STOP');
    expect(await kept(rig)).to.equal(before);
    await desk.reported(14);
    expect(textsTo(rig, mobile)).to.have.length(1);
  });

  it('that Advanced Opt-Out marks count by its mark', async () => {
    const { mobile } = patientOf(15);
    await desk.inbound(mobile, 'keine mehr', newSid(), { OptOutType: 'STOP' });
    await desk.reported(15);
    expect(textsTo(rig, mobile)).to.have.length(0);
  });

  it('stop no text of a patient’s other number', async () => {
    const { mobile } = patientOf(16);
    await desk.inbound(mobile, 'STOP');
    const { who } = await desk.reported(16);
    expect(textsTo(rig, mobile)).to.have.length(0);
    await taken(rig, adt('A08', rig.head(), { ...who, phone: '0412 349 999^PRN^CP' }));
    await rig.settled();
    expect(textsTo(rig, '+61412349999')).to.have.length(1);
  });

  it('are not needed where Twilio itself refuses the number: the next text waits for START', async () => {
    const { mobile } = patientOf(17);
    rig.sandbox.behave({ kind: 'refuse', status: 400, code: 21610 });
    const { who, accession } = await desk.reported(17);
    expect(await textOf(rig, accession)).to.include({ state: 'failed', reason: 'twilio-21610' });
    await taken(rig, orm(rig.head(), who, orderOf('T17B')));
    await taken(rig, oru(rig.head(), who, reportOf('T17B', 'F')));
    expect(await textOf(rig, 'T17B')).to.include({ state: 'held', reason: 'opted-out' });
    await desk.inbound(mobile, 'UNSTOP');
    await rig.settled();
    expect(textsTo(rig, mobile).map(({ body }) => body.split('ref=')[1])).to.deep.equal(['T17B']);
  });

  it('log and keep nothing of what messages say, and log no number', async () => {
    await desk.inbound(patientOf(18).mobile, 'my PRIVATE matter');
    await desk.inbound(patientOf(18).mobile, 'quit', newSid(), { ProfileName: 'PRIVATE' });
    for (const line of rig.logged) expect(line).not.to.match(/PRIVATE|41234|nguyen|thank you/i);
    const rows = await rig.rows('SELECT to_jsonb(o)::text AS row FROM sms_opt_outs o', z.object({ row: z.string() }));
    expect(rows.length).to.be.greaterThan(5);
    for (const { row } of rows) expect(row).not.to.match(/PRIVATE|stop|quit/i);
  });
});

describe('Twilio’s callbacks, outside the hours of texts', () => {
  it('keep STOP while a text waits: it is not sent when the hours come, and others are', async () => {
    const hours = new Intl.DateTimeFormat('en-AU', {
      timeZone: 'Australia/Melbourne',
      hourCycle: 'h23',
      hour: '2-digit',
    });
    const later = (Number(hours.format(new Date())) + 6) % 23;
    const port = await freePort();
    const settings = {
      HTTP_PORT: String(port),
      PUBLIC_URL: `http://localhost:${port}`,
      SMS_HOURS: `${String(later).padStart(2, '0')}:00-${String(later + 1).padStart(2, '0')}:00`,
    };
    await using rig = await startRig(settings);
    const [stops, stays] = [patientOf(20), patientOf(21)];
    for (const [{ who }, accession] of [
      [stops, 'N1'],
      [stays, 'N2'],
    ] as const) {
      await taken(rig, orm(rig.head(), who, orderOf(accession)));
      await taken(rig, oru(rig.head(), who, reportOf(accession, 'F')));
      expect(await textOf(rig, accession)).to.include({ state: 'queued' });
    }
    const path = '/api/sms/inbound';
    const fields = { MessageSid: newSid(), From: stops.mobile, Body: 'STOP' };
    const answer = await postCallback({ port, path, signedUrl: `${settings.PUBLIC_URL}${path}`, fields });
    expect(answer.status).to.equal(200);
    expect(await textOf(rig, 'N1')).to.include({ state: 'held', reason: 'opted-out' });
    await rig.stopSidecar();
    const open = loadConfig({ ...rig.environment, SMS_HOURS: '00:00-24:00' });
    await using sidecar = await startSidecar(open, { log: pino({ level: 'silent' }) });
    expect(sidecar.httpPort).to.equal(port);
    await eventually('the other text', async () => (await textOf(rig, 'N2'))?.delivery === 'delivered');
    expect(rig.sandbox.messages.map(({ to }) => to)).to.deep.equal([stays.mobile]);
    expect(await textOf(rig, 'N1')).to.include({ state: 'held', reason: 'opted-out' });
  });
});
