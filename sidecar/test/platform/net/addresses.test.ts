import { expect } from 'chai';
import { addressMatcher, parseAddresses } from '../../../platform/net/addresses.ts';
import { addressKey, plainAddress } from '../../../platform/rules/address.ts';

describe('addresses', () => {
  it('are read one by one and as ranges, v4 and v6', () => {
    const { addresses, problems } = parseAddresses('10.1.2.3, 10.2.0.0/16\n2001:db8::/32 ::1');
    expect(problems).to.deep.equal([]);
    const among = addressMatcher(addresses);
    const inside = ['10.1.2.3', '10.2.255.1', '2001:db8:1::5', '::1', '::ffff:10.1.2.3', '2001:DB8::1%eth0'];
    const outside = ['10.1.2.4', '10.3.0.0', '2001:db9::1', '::2', '', 'localhost', '::ffff:10.1.2.4'];
    expect(inside.map(among)).to.deep.equal(inside.map(() => true));
    expect(outside.map(among)).to.deep.equal(outside.map(() => false));
    expect(addressMatcher([])('127.0.0.1')).to.equal(false);
  });

  it('that are none are named by their place, never by their text', () => {
    const wrong = ['ris.local', '10.0.0.0/33', '10.0.0', '::1/129', '10.0.0.1/8/8', '10.0.0.1/', '10.0.0.1/-1'];
    const { addresses, problems } = parseAddresses(`10.0.0.1,${wrong.join()}`);
    expect(addresses).to.deep.equal(['10.0.0.1']);
    expect(problems).to.have.length(wrong.length);
    expect(problems.join()).not.to.include('ris.local');
  });

  it('of IPv4 within IPv6 are written as IPv4', () => {
    expect(plainAddress('::ffff:127.0.0.1')).to.equal('127.0.0.1');
    expect(plainAddress('fe80::1%eth0')).to.equal('fe80::1');
  });

  it('of one /64 of IPv6 count as one sender', () => {
    expect(addressKey('10.0.0.1')).to.equal('10.0.0.1');
    expect(addressKey('2001:db8:0:1:ffff::9')).to.equal(addressKey('2001:db8:0:1::1'));
    expect(addressKey('2001:db8:0:2::1')).not.to.equal(addressKey('2001:db8:0:1::1'));
    expect(addressKey('::1')).to.equal(addressKey('::2'));
    expect(addressKey('not an address')).to.equal('not an address');
  });
});
