import { BlockList, isIP, isIPv4 } from 'node:net';
import { plainAddress } from '../rules/address.ts';

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIPv4(address) ? 'ipv4' : 'ipv6');

/**
 * Reads IP addresses and CIDR ranges, v4 and v6, parted by commas or blanks. `problems` names each that is none by its
 * place.
 */
export function parseAddresses(text: string): {
  readonly addresses: readonly string[];
  readonly problems: readonly string[];
} {
  const addresses: string[] = [];
  const problems: string[] = [];
  for (const [index, entry] of text
    .split(/[\s,]+/)
    .filter((one) => one !== '')
    .entries()) {
    const [address = '', bits, ...rest] = entry.split('/');
    const most = isIPv4(address) ? 32 : 128;
    const ranged = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most);
    if (isIP(address) === 0 || !ranged || rest.length > 0) {
      problems.push(`entry ${index + 1} is not an IP address or a range such as 10.1.0.0/16`);
    } else {
      addresses.push(entry);
    }
  }
  return { addresses, problems };
}

/** Whether an address is among these, as {@link parseAddresses} gives them. */
export function addressMatcher(addresses: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const entry of addresses) {
    const [address = '', bits] = entry.split('/');
    if (bits === undefined) list.addAddress(address, familyOf(address));
    else list.addSubnet(address, Number(bits), familyOf(address));
  }
  return (address) => {
    const plain = plainAddress(address);
    return isIP(plain) !== 0 && list.check(plain, familyOf(plain));
  };
}
