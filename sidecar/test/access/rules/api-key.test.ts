import { expect } from 'chai';
import { findApiKey, newApiKey } from '../../../access/io/api-keys.ts';
import { parseApiKeys } from '../../../access/rules/api-key.ts';

const HASH = 'a'.repeat(64);

describe('API keys', () => {
  it('are read as name and hash, parted by commas, blanks or line ends', () => {
    const { keys, problems } = parseApiKeys(`ct-1:${HASH}, mr.2:${HASH.toUpperCase()}\nus_3:${HASH}`);
    expect(problems).to.deep.equal([]);
    expect(keys).to.deep.equal(['ct-1', 'mr.2', 'us_3'].map((name) => ({ name, sha256: HASH })));
  });

  it('are none where the setting is empty', () => {
    expect(parseApiKeys(' ,\n')).to.deep.equal({ keys: [], problems: [] });
  });

  it('that cannot be used are named by their place, never by their text', () => {
    const { keys, problems } = parseApiKeys(`ct:${HASH},axis_SECRET,mr:${HASH.slice(1)},ct:${HASH}`);
    expect(keys).to.have.length(1);
    expect(problems.map((problem) => problem.slice(0, 8))).to.deep.equal(['entry 2 ', 'entry 3 ', 'entry 4 ']);
    expect(problems.join()).not.to.include('SECRET').and.not.to.include('aaaa');
  });

  it('are found by what a device presents, and only by all of it', () => {
    const made = ['ct', 'mr'].map((name, index) => newApiKey(name, Buffer.alloc(32, index)));
    const { keys } = parseApiKeys(made.map(({ entry }) => entry).join(','));
    expect(made.map(({ key }) => findApiKey(keys, key))).to.deep.equal(['ct', 'mr']);
    const [first] = made;
    for (const wrong of ['', first?.key.slice(0, -1), `${first?.key ?? ''} `, keys[0]?.sha256, 'ct']) {
      expect(findApiKey(keys, wrong ?? '')).to.equal(null);
    }
    expect(findApiKey([], first?.key ?? '')).to.equal(null);
  });

  it('are not kept in the entry that lets them in', () => {
    const { key, entry } = newApiKey('ct', Buffer.alloc(32, 7));
    expect(entry).to.match(/^ct:[0-9a-f]{64}$/);
    expect(entry).not.to.include(key.slice('axis_'.length));
  });
});
