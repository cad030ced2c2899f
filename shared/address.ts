/** Network addresses as people and rosters write them: `host:port`, an IPv6 host in brackets. */

/** @param port null: only the host */
export function formatAddress(host: string, port: number | null): string {
  const bare = host.includes(':') ? `[${host}]` : host;
  return port === null ? bare : `${bare}:${port}`;
}

/** Of an address that was checked (`addressSchema`). */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}
