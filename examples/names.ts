import { digestOf, parseReference } from '../src/index.js';

/** The full name of an image, and the digest of some bytes. */
export function identify(name: string, bytes: Buffer): readonly string[] {
  const reference = parseReference(name).withDefaultTag();
  return [reference.toString(), digestOf(bytes)];
}
