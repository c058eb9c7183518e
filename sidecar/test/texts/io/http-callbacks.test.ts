import { once } from 'node:events';
import { connect } from 'node:net';
import { expect } from 'chai';
import pino from 'pino';
import type { HttpServer } from '../../../app/http.ts';
import type { SmsCallbackOptions } from '../../../texts/io/http-callbacks.ts';
import { openDatabase } from '../../../platform/postgres/database.ts';
import { Failure } from '../../../platform/rules/failure.ts';
import { smsCallbacks } from '../../../texts/callbacks.ts';
import { twilioCallbacks } from '../../../texts/io/twilio-callbacks.ts';
import { serveHttp } from '../../support/http-guard.ts';
import { postCallback } from '../../support/twilio-callbacks.ts';

const log = pino({ level: 'silent' });
const never = () => Promise.reject(new Error('not here'));
const SID = `SM${'0123456789abcdef'.repeat(2)}`;
const URL_BASE = 'https://axis.example/sidecar';

function serve(over: Partial<SmsCallbackOptions> & Pick<SmsCallbackOptions, 'recordOptChoice'>): Promise<HttpServer> {
  return serveHttp({
    closeTimeoutMs: 1000,
    sms: {
      publicUrl: URL_BASE,
      callbacks: twilioCallbacks('token'),
      bodyTimeoutMs: 10_000,
      keepReceipt: never,
      onRefused: () => undefined,
      log,
      ...over,
    },
  });
}
const stop = (port: number) =>
  postCallback({
    port,
    path: '/api/sms/inbound',
    signedUrl: `${URL_BASE}/api/sms/inbound`,
    authToken: 'token',
    fields: { MessageSid: SID, From: '+61412345678', Body: 'STOP' },
  });

describe('the routes of Twilio’s callbacks', () => {
  it('close a connection whose body does not come in time', async () => {
    await using http = await serve({ recordOptChoice: never, bodyTimeoutMs: 100 });
    const socket = connect(http.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('POST /api/sms/status HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n');
    socket.write('X-Twilio-Signature: x\r\nContent-Length: 100\r\n\r\nMessageSid=');
    await once(socket, 'close');
  });

  it('answer 503 where it cannot be kept, saying nothing of the message', async () => {
    const away = () => Promise.reject(new Failure('transient', 'postgres-connection', 'PostgreSQL: connection'));
    await using http = await serve({ recordOptChoice: away });
    const { status, body } = await stop(http.port);
    expect(status).to.equal(503);
    expect(JSON.parse(body)).to.deep.equal({ error: 'postgres-connection', detail: 'it cannot be kept now' });
  });

  it('try again while the database is away for a moment, since Twilio may not', async () => {
    const tried: string[] = [];
    const recordOptChoice = ({ vendorId }: { vendorId: string }) => {
      tried.push(vendorId);
      const away = new Failure('transient', 'postgres-connection', 'PostgreSQL: connection');
      return tried.length < 3 ? Promise.reject(away) : Promise.resolve();
    };
    const db = openDatabase('postgres://nobody@127.0.0.1:1/none', 1);
    const parts = {
      callbacks: twilioCallbacks('token'),
      db,
      recordOptChoice,
      onRefused: () => undefined,
      now: () => new Date(),
      random: () => 0,
      log,
    };
    const options = smsCallbacks({ ...parts, publicUrl: URL_BASE });
    await using http = await serve(options ?? { recordOptChoice: never });
    expect((await stop(http.port)).status).to.equal(200);
    expect(tried).to.deep.equal([SID, SID, SID]);
    await db.destroy();
  });
});
