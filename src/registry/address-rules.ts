import { BlockList, isIP } from 'node:net';

/** Addresses that answer for every machine, such as the metadata service of a cloud. Never followed to. */
const LINK_LOCAL = listOf([
  ['169.254.0.0', 16, 'ipv4'],
  ['fe80::', 10, 'ipv6'],
  ['fd00:ec2::254', 128, 'ipv6'],
]);

/** Addresses that the public internet does not reach (IANA special-purpose registries). */
const PRIVATE = listOf([
  ['0.0.0.0', 8, 'ipv4'],
  ['10.0.0.0', 8, 'ipv4'],
  ['100.64.0.0', 10, 'ipv4'],
  ['127.0.0.0', 8, 'ipv4'],
  ['172.16.0.0', 12, 'ipv4'],
  ['192.168.0.0', 16, 'ipv4'],
  ['224.0.0.0', 3, 'ipv4'],
  ['::', 127, 'ipv6'],
  ['fc00::', 7, 'ipv6'],
  ['ff00::', 8, 'ipv6'],
]);

/** Whether an address is link-local or a metadata service. */
export function isLinkLocal(address: string): boolean {
  return isIn(LINK_LOCAL, address);
}

/** Whether an address is not on the public internet. */
export function isPrivate(address: string): boolean {
  return isIn(LINK_LOCAL, address) || isIn(PRIVATE, address);
}

function listOf(subnets: readonly (readonly [string, number, 'ipv4' | 'ipv6'])[]): BlockList {
  const list = new BlockList();
  for (const [net, prefix, family] of subnets) list.addSubnet(net, prefix, family);
  return list;
}

function isIn(list: BlockList, address: string): boolean {
  // The same in hex, as URLs have it; nobody writes it who means well.
  if (/^::ffff:[\da-f]+:[\da-f]+$/i.test(address)) return true;
  // An IPv4 address in the form of IPv6 is judged as what it is.
  const plain = /^::ffff:(\d+(?:\.\d+){3})$/i.exec(address)?.[1] ?? address.replace(/%.*$/, '');
  const family = isIP(plain);
  return family !== 0 && list.check(plain, family === 4 ? 'ipv4' : 'ipv6');
}
