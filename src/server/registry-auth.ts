import type { Credentials } from '../registry/settings.js';
import { EngineError, STATUS } from './statuses.js';

/** The longest `X-Registry-Auth`. Tokens of clouds have some thousand characters. */
const MAX_CHARACTERS = 16 * 1024;

/** What the Engine's clients send: base64 of a JSON object with these fields, all of them texts. */
type AuthFields = Readonly<Record<string, unknown>>;

/**
 * The credentials of an `X-Registry-Auth` header; undefined for none. What cannot be decoded counts as none, as in the
 * Engine. Throws an EngineError for a header that is too long.
 */
export function credentialsInHeader(header: string | readonly string[] | undefined): Credentials | undefined {
  const text = typeof header === 'string' ? header : (header?.[0] ?? '');
  if (text.length > MAX_CHARACTERS)
    throw new EngineError(STATUS.headersTooLarge, `X-Registry-Auth has more than ${MAX_CHARACTERS} characters`);
  // Node reads both alphabets of base64, with padding or without.
  return credentialsIn(fieldsOf(Buffer.from(text, 'base64').toString('utf8')));
}

/** The object that a text is in JSON; an empty one for every other text. */
export function fieldsOf(text: string): AuthFields {
  try {
    const value: unknown = JSON.parse(text);
    // The caller checks each field.
    return typeof value === 'object' && value !== null ? (value as AuthFields) : {};
  } catch {
    return {};
  }
}

/** The credentials in such an object; undefined if there are none. */
export function credentialsIn(fields: AuthFields): Credentials | undefined {
  const { identitytoken, registrytoken, auth } = fields;
  if (isText(identitytoken)) return { kind: 'identity', token: identitytoken };
  if (isText(registrytoken)) return { kind: 'bearer', token: registrytoken };
  const { username, password } = fields;
  if (isText(username) && isText(password)) return { kind: 'password', username, password };
  return isText(auth) ? passwordIn(Buffer.from(auth, 'base64').toString('utf8')) : undefined;
}

function passwordIn(text: string): Credentials | undefined {
  const at = text.indexOf(':');
  return at > 0 ? { kind: 'password', username: text.slice(0, at), password: text.slice(at + 1) } : undefined;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
