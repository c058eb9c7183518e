import { BlockList, isIP, isIPv4 } from 'node:net';

/** An address as it is compared and written down: an IPv4 address within IPv6 as itself, no zone. */
export function plainAddress(address: string): string {
  const bare = address.replace(/%.*$/, '');
  const mapped = bare.replace(/^::ffff:/i, '');
  return isIPv4(mapped) ? mapped : bare;
}

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

/** What counts as one sender where senders are counted: an IPv4 address, or the /64 of an IPv6 one. */
export function addressKey(address: string): string {
  const plain = plainAddress(address);
  if (isIP(plain) !== 6) return plain;
  const [head = '', tail] = plain.split('::');
  const groups = (part: string): string[] => part.split(':').filter((group) => group !== '');
  const [before, after] = [groups(head), groups(tail ?? '')];
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  const all = [...before, ...Array.from({ length: Math.max(0, zeros) }, () => '0'), ...after];
  return `${all
    .slice(0, 4)
    .map((group) => parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
