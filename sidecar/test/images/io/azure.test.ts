import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { BlobServiceClient } from '@azure/storage-blob';
import { expect } from 'chai';
import { blobKey, hasBlobStore, openBlobStore } from '../../../images/blobs.ts';
import { BlobFailure, isOfStore, type BlobStore } from '../../../images/rules/blob-store.ts';
import { listen } from '../../../platform/net/listen.ts';
import { Failure } from '../../../platform/rules/failure.ts';
import { azurite } from '../../support/services.ts';

const JPEG = Buffer.from('a rendering');

async function failureOf(call: Promise<unknown>): Promise<BlobFailure> {
  try {
    await call;
  } catch (error) {
    if (error instanceof BlobFailure) return error;
    throw error;
  }
  throw new Error('did not fail');
}

describe('the blob store in Azure', () => {
  const AZURE_STORAGE_CONTAINER = `port-${randomBytes(6).toString('hex')}`;
  let AZURE_STORAGE_CONNECTION_STRING: string;
  let store: BlobStore;
  before(async () => {
    AZURE_STORAGE_CONNECTION_STRING = (await azurite()).connectionString;
    store = openBlobStore({ AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_CONTAINER }, 10_000);
  });

  /** The same store at another address, or with another key. */
  const elsewhere = (changed: Readonly<Record<string, string>>): BlobStore => {
    const parts = AZURE_STORAGE_CONNECTION_STRING.split(';').map((part) => {
      const [name = ''] = part.split('=');
      return name in changed ? `${name}=${changed[name] ?? ''}` : part;
    });
    return openBlobStore({ AZURE_STORAGE_CONNECTION_STRING: parts.join(';'), AZURE_STORAGE_CONTAINER }, 10_000);
  };
  const blobOf = (name: string) =>
    BlobServiceClient.fromConnectionString(AZURE_STORAGE_CONNECTION_STRING)
      .getContainerClient(AZURE_STORAGE_CONTAINER)
      .getBlockBlobClient(name);
  const namesOf = async (prefix: string): Promise<string[]> => {
    const found: string[] = [];
    for await (const names of store.names(prefix)) found.push(...names);
    return found;
  };

  it('is called by its container, and is made when it is first asked for', async () => {
    expect(store.name).to.equal(AZURE_STORAGE_CONTAINER);
    await store.ping();
    expect(await namesOf('')).to.deep.equal([]);
  });

  it('writes over what has that name, and gives an address that opens nothing by itself', async () => {
    const address = await store.write('images/a.jpg', Buffer.from('an older one'));
    expect(await store.write('images/a.jpg', JPEG)).to.equal(address);
    expect((await blobOf('images/a.jpg').downloadToBuffer()).toString()).to.equal('a rendering');
    expect(address).to.match(new RegExp(`/${AZURE_STORAGE_CONTAINER}/images(?:/|%2F)a\\.jpg$`));
    expect((await fetch(address)).ok).to.equal(false);
  });

  it('gives the names that begin with something', async () => {
    for (const name of ['images/b.jpg', 'thumbnails/b.jpg']) await store.write(name, JPEG);
    expect(await namesOf('images/')).to.deep.equal(['images/a.jpg', 'images/b.jpg']);
    expect(await namesOf('none/')).to.deep.equal([]);
  });

  it('removes a blob, and does nothing where there is none', async () => {
    for (let time = 0; time < 2; time += 1) await store.remove('images/b.jpg');
    expect(await namesOf('images/')).to.deep.equal(['images/a.jpg']);
  });

  it('does not hold against the store what speaks against one blob', async () => {
    await blobOf('images/a.jpg').getBlobLeaseClient().acquireLease(15);
    const held = await failureOf(store.write('images/a.jpg', JPEG));
    expect(held).to.include({ about: 'blob', kind: 'transient', code: 'blob-held' });
    expect(isOfStore(held)).to.equal(false);
  });

  it('holds against the store that it cannot be reached, and a key that does not hold', async () => {
    const away = await failureOf(elsewhere({ BlobEndpoint: 'http://127.0.0.1:1/devstoreaccount1' }).ping());
    expect(away).to.include({ about: 'store', kind: 'transient', code: 'blob-unreachable' });
    const strange = elsewhere({ AccountKey: Buffer.from('another').toString('base64') });
    const refused = await failureOf(strange.write('images/a.jpg', JPEG));
    expect(refused).to.include({ about: 'store', kind: 'transient', code: 'blob-403' });
    expect([away, refused].map(isOfStore)).to.deep.equal([true, true]);
  });

  for (const [status, code, about, kind] of [
    [413, 'blob-too-large', 'blob', 'permanent'],
    [507, 'blob-507', 'store', 'transient'],
    [400, 'blob-400', 'store', 'transient'],
  ] as const) {
    it(`takes ${status} for ${kind}, of the ${about}`, async () => {
      const server = createServer((request, response) => {
        request.resume().on('end', () => response.writeHead(status).end());
      });
      const port = await listen(server, 0, '127.0.0.1');
      const there = elsewhere({ BlobEndpoint: `http://127.0.0.1:${port}/devstoreaccount1` });
      expect(await failureOf(there.write('images/a.jpg', JPEG))).to.include({ about, code, kind });
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    });
  }

  it('is blamed for its own failures only, whatever the code of another', () => {
    expect(isOfStore(new Failure('transient', 'blob-403', 'of somebody else'))).to.equal(false);
  });

  it('is there where the settings name one, and its key known to everybody where it is an emulator’s', () => {
    const none = { AZURE_STORAGE_CONNECTION_STRING: undefined, AZURE_STORAGE_CONTAINER };
    expect([none, { AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_CONTAINER }].map(hasBlobStore)).to.deep.equal([
      false,
      true,
    ]);
    expect(blobKey({ AZURE_STORAGE_CONNECTION_STRING })).to.deep.equal({
      setting: 'AZURE_STORAGE_CONNECTION_STRING',
      isForDevelopment: true,
    });
    expect(blobKey({ AZURE_STORAGE_CONNECTION_STRING: 'AccountName=axis;AccountKey=k' }).isForDevelopment).to.equal(
      false,
    );
  });
});
