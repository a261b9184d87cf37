const STANDARD = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const URL_SAFE = /^(?:[\w-]{4})*(?:[\w-]{2}(?:==)?|[\w-]{3}=?)?$/;

/** Which alphabets a text may be written in. Never both in one text. */
export type Base64Alphabet = 'standard' | 'standard or url-safe';

/**
 * The bytes of a base64 text (RFC 4648); undefined if it is anything but the one spelling of these bytes. Node's own
 * decoder passes over wrong characters and spare bits, so several texts would mean one signature.
 */
export function decodeBase64(text: string, alphabet: Base64Alphabet): Buffer | undefined {
  if (STANDARD.test(text)) return spelledAs(text, 'base64');
  if (alphabet === 'standard' || !URL_SAFE.test(text)) return undefined;
  return spelledAs(text.replace(/=+$/, ''), 'base64url');
}

function spelledAs(text: string, encoding: 'base64' | 'base64url'): Buffer | undefined {
  const bytes = Buffer.from(text, encoding);
  return bytes.toString(encoding) === text ? bytes : undefined;
}
