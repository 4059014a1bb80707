import ipaddr from 'ipaddr.js';

/** A block of addresses. */
export interface Cidr {
  readonly version: 4 | 6;
  /** The first address. */
  readonly base: ipaddr.IPv4 | ipaddr.IPv6;
  readonly prefix: number;
  /** `203.0.113.0/24`: for a single address too, and with the bits after the prefix set to zero. */
  readonly text: string;
}

/**
 * Parses an address or a CIDR, IPv4 or IPv6; undefined if it is neither. Ambiguous texts are rejected: parts in octal or hex, fewer than four of them, zones,
 * and IPv4 inside IPv6.
 */
export function parseCidr(text: string): Cidr | undefined {
  const [address = '', length] = text.split('/');
  const version = address.includes(':') ? 6 : 4;
  if (!(version === 6 ? /^[\da-f:]+$/i.test(address) : ipaddr.IPv4.isValidFourPartDecimal(address))) return undefined;
  if (length !== undefined && !/^(0|[1-9]\d*)$/.test(length)) return undefined;
  const kind = version === 6 ? ipaddr.IPv6 : ipaddr.IPv4;
  const block = length === undefined ? `${address}/${version === 6 ? 128 : 32}` : text;
  if (!kind.isValidCIDR(block)) return undefined;
  const [, prefix] = kind.parseCIDR(block);
  const base = kind.networkAddressFromCIDR(block);
  return { version, base, prefix, text: `${base}/${prefix}` };
}

/** Returns whether all of `inner` is in `outer`. */
export function contains(outer: Cidr, inner: Cidr): boolean {
  return outer.version === inner.version && outer.prefix <= inner.prefix && inner.base.match(outer.base, outer.prefix);
}

/** Returns the intersection; undefined if it is empty. If two blocks overlap, one is always inside the other. */
export function overlap(a: Cidr, b: Cidr): Cidr | undefined {
  if (contains(a, b)) return b;
  return contains(b, a) ? a : undefined;
}
