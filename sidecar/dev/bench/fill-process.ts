import { Agent } from 'node:http';
import axios from 'axios';
import { z } from 'zod';
import { benchStudy, imageMaker } from './data.ts';

const FILLING = z.object({
  url: z.string(),
  username: z.string(),
  password: z.string(),
  connections: z.number(),
  seed: z.number(),
  group: z.number(),
  studies: z.number(),
  images: z.number(),
  size: z.number(),
});
const STORED = z.object({ ID: z.string(), Status: z.literal('Success') });

/** As many files are made before the time runs; of larger fillings the rest is made as they are sent. */
const MADE_BEFORE_BYTES = 4 * 1024 ** 3;

const filling = FILLING.parse(JSON.parse(process.argv[2] ?? ''));
const { url, username, password, connections, seed, group, studies, images, size } = filling;
const make = imageMaker(size);
const one = (index: number): Buffer => make(benchStudy(seed, group, Math.floor(index / images)), index % images);
const total = studies * images;
const ahead = one(0).length * total <= MADE_BEFORE_BYTES ? Array.from({ length: total }, (_, index) => one(index)) : [];

const httpAgent = new Agent({ keepAlive: true, maxSockets: connections });
const client = axios.create({ baseURL: url, auth: { username, password }, httpAgent, proxy: false });
const stored: [string, number][] = [];
let next = 0;
const send = async (): Promise<void> => {
  while (next < total) {
    const index = next;
    next += 1;
    const headers = { 'Content-Type': 'application/dicom' };
    const { data } = await client.post<unknown>('/instances', ahead[index] ?? one(index), { headers });
    stored.push([STORED.parse(data).ID, Date.now()]);
  }
};
const begin = performance.now();
await Promise.all(Array.from({ length: connections }, send));
const seconds = (performance.now() - begin) / 1000;
httpAgent.destroy();
process.send?.({ seconds, stored }, () => {
  process.disconnect();
});
