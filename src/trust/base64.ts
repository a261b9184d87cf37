/** Which alphabets a text may be written in. Never both in one text. */
export type Base64Alphabet = 'standard' | 'standard or url-safe';

/**
 * The bytes of a base64 text (RFC 4648); undefined if it is anything but the one spelling of these bytes. Node's own
 * decoder passes over wrong characters and spare bits, so several texts would mean one signature. So the bytes are
 * spelled again and compared; a regular expression would need more stack than there is for a text of some MiB.
 */
export function decodeBase64(text: string, alphabet: Base64Alphabet): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  const standard = bytes.toString('base64');
  if (standard === text) return bytes;
  if (alphabet === 'standard') return undefined;
  const padded = standard.replaceAll('+', '-').replaceAll('/', '_');
  return text === padded || text === padded.replace(/={1,2}$/, '') ? bytes : undefined;
}
