/** Where the audit log is sent to. */
export interface SyslogTarget {
  readonly protocol: 'udp' | 'tcp' | 'tls';
  readonly host: string;
  readonly port: number;
}

const TARGET = /^(udp|tcp|tls):\/\/(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+)):(\d{1,5})\/?$/i;

/** `tls://host:6514`, `tcp://…` or `udp://…`; `null` for anything else. */
export function parseSyslogTarget(text: string): SyslogTarget | null {
  const [, protocol = '', ipv6, name, port = ''] = TARGET.exec(text.trim()) ?? [];
  const host = ipv6 ?? name;
  const known = (['udp', 'tcp', 'tls'] as const).find((one) => one === protocol.toLowerCase());
  if (known === undefined || host === undefined || Number(port) < 1 || Number(port) > 65_535) return null;
  return { protocol: known, host, port: Number(port) };
}
