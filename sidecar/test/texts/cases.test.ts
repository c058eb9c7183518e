import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { playTextCase, TEXT_CASE } from '../support/text-case.ts';

const FIXTURES = new URL('../fixtures/texts/', import.meta.url);

const cases = readdirSync(FIXTURES)
  .filter((name) => name.endsWith('.json'))
  .sort()
  .map((name) => ({
    name: name.replace('.json', ''),
    ...TEXT_CASE.parse(JSON.parse(readFileSync(new URL(name, FIXTURES), 'utf8'))),
  }));

describe('recorded texts', () => {
  for (const { name, ...one } of cases) {
    it(`${name}: ${one.why}`, async () => {
      expect(await playTextCase(one)).to.deep.equal(one.expected);
    });
  }

  it('end the same where each message comes twice', async function () {
    this.timeout(120_000);
    for (const { name, ...one } of cases) expect(await playTextCase(one, 2), name).to.deep.equal(one.expected);
  });
});
