import { expect } from 'chai';
import { z } from 'zod';
import { randomBytes } from 'node:crypto';
import { newApiKey } from '../../access/io/api-keys.ts';
import { crImage } from '../../dev/phantoms.ts';
import { orm, oru } from '../../dev/ris-messages.ts';
import { ask } from '../support/http-client.ts';
import { orthancRest } from '../support/orthanc-rest.ts';
import { orderOf, person, reportOf, tagsOf } from '../support/people.ts';
import { startRig, type Rig } from '../support/rig.ts';

const FILES = z.object({ files: z.array(z.object({ name: z.string(), status: z.string() })) });
const HTML = '<img src=x onerror=alert(1)>';

describe('attacks with what is sent', () => {
  const desk = newApiKey('desk', randomBytes(32));
  let rig: Rig;
  before(async () => {
    rig = await startRig({ OPERATOR_API_KEYS: desk.entry, HL7_ALLOWED_SENDERS: 'voyager|axis; LAB' });
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });
  const look = (path: string) =>
    ask({ port: rig.sidecar.httpPort, path, headers: { Authorization: `Bearer ${desk.key}` } });

  it('names of files are only ever text of the answer: no path, no control character, no markup', async () => {
    const names = [
      ['filename="../../../../etc/passwd"', 'passwd'],
      [String.raw`filename="..\\..\\windows\\win.ini"`, 'win.ini'],
      ['filename="/etc/cron.d/x"', 'x'],
      ["filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", 'passwd'],
      ["filename*=UTF-8''a%00%1B%5B2J%0D%0Ab", 'a[2Jb'],
      [`filename="${HTML}"`, HTML],
      [`filename="${'x'.repeat(2000)}.dcm"`, 'x'.repeat(255)],
      ['filename=".."', 'file'],
    ] as const;
    const image = crImage(tagsOf(person('N1'), '2.25.9101'), '2.25.9101.1');
    const parts = names.flatMap(([name]) => [
      Buffer.from(`--b\r\nContent-Disposition: form-data; name="../f"; ${name}\r\n`),
      Buffer.from('Content-Type: application/dicom\r\n\r\n'),
      image,
      Buffer.from('\r\n'),
    ]);
    const { status, headers, text } = await ask({
      port: rig.sidecar.httpPort,
      method: 'POST',
      path: '/api/modality/dicom',
      headers: { 'X-API-Key': rig.apiKey, 'Content-Type': 'multipart/form-data; boundary=b' },
      body: Buffer.concat([...parts, Buffer.from('--b--\r\n')]),
    });
    expect(status).to.equal(200);
    expect(headers).to.include({ 'x-content-type-options': 'nosniff' });
    expect(headers['content-type']).to.match(/^application\/json/);
    const told = FILES.parse(JSON.parse(text)).files.map(({ name }) => name);
    for (const name of told)
      expect(name)
        .not.to.match(/[\\/]|\p{Cc}/u)
        .and.not.equal('..');
    expect(told).to.deep.equal(names.map(([, name]) => name));
    for (const line of rig.logged) expect(line).not.to.match(/passwd|onerror|win\.ini/);
  });

  it('markup and control characters in a name reach no label, no log and no header', async () => {
    const who = person('N2', { name: `${HTML}^Ann\u001b[2J` });
    expect(await rig.ris.send(orm(rig.head(), who, orderOf('N2')))).to.contain('MSA|AA|');
    await rig.store(crImage(tagsOf({ ...who, name: `${HTML}^Ann` }, '2.25.9102', 'N2'), '2.25.9102.1'));
    expect(await rig.ris.send(oru(rig.head(), who, reportOf('N2', 'F')))).to.contain('MSA|AA|');
    await rig.settled();
    const labels = z.array(z.string()).parse(await orthancRest(rig.orthanc, 'GET', '/tools/labels'));
    expect(labels.filter((label) => !/^(ris-\w+|report-final)$/.test(label))).to.deep.equal([]);
    const { status, headers, text } = await look('/api/operator/studies/2.25.9102');
    expect([status, text.includes(HTML)]).to.deep.equal([200, true]);
    expect(headers['content-type']).to.match(/^application\/json/);
    expect(text).not.to.match(/\p{Cc}/u);
    for (const line of rig.logged) expect(line).not.to.match(/onerror|Ann/);
  });

  it('an HL7 sender that is not listed is answered AR, and nothing of it is kept', async () => {
    const message = orm(rig.head(), person('N3'), orderOf('N3'));
    const strange = [
      message.replace('|VOYAGER|AXIS|', '|VOYAGER|ELSEWHERE|'),
      message.replace('|VOYAGER|AXIS|', `|${HTML}|AXIS|`),
      message.replace('|VOYAGER|AXIS|', '|||'),
      'MSH|^~\\&\rnothing that can be read',
    ];
    for (const text of strange) expect(await rig.ris.send(text)).to.match(/\rMSA\|AR\|.*\rERR\|\|MSH\^1\^3\|103/s);
    const kept = await rig.rows(
      `SELECT 1 AS one FROM hl7_messages WHERE sending_facility <> 'AXIS' OR sending_application <> 'VOYAGER'`,
      z.unknown(),
    );
    expect(kept).to.deep.equal([]);
    expect(await rig.rows(`SELECT 1 AS one FROM studies WHERE accession_number = 'N3'`, z.unknown())).to.deep.equal([]);
    const lines = rig.logged.filter((line) => line.includes('"code":"sender"'));
    expect(lines).to.have.length(strange.length);
    for (const line of lines)
      expect(line)
        .to.include('"from":"127.0.0.1"')
        .and.not.match(/ELSEWHERE|onerror/);
    expect(await rig.ris.send(message)).to.contain('MSA|AA|');
    expect(await rig.ris.send(message.replace('|VOYAGER|AXIS|', '|lab|ANYWHERE|'))).to.contain('MSA|AA|');
  });

  it('what is wrong with a request is told without a stack, a path of this machine or a version', async () => {
    for (const path of ['/nothing', '/api/operator/studies/1.2.3', '/api/operator/work?days=x', '/api/operator/x']) {
      const { text } = await look(path);
      expect(text).not.to.match(/\bat \/|node_modules|\.ts:|express|orthanc \d/i);
    }
  });
});
