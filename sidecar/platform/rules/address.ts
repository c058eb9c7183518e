const IPV4 = /^\d{1,3}(\.\d{1,3}){3}$/;

/** An address as it is compared and written down: an IPv4 address within IPv6 as itself, no zone. */
export function plainAddress(address: string): string {
  const bare = address.replace(/%.*$/, '');
  const mapped = bare.replace(/^::ffff:/i, '');
  return IPV4.test(mapped) ? mapped : bare;
}

/** What counts as one sender where senders are counted: an IPv4 address, or the /64 of an IPv6 one (RFC 6177). */
export function addressKey(address: string): string {
  const plain = plainAddress(address);
  if (!/^[\da-f.:]*:[\da-f.:]*$/i.test(plain)) return plain;
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
