import { setImmediate } from 'node:timers/promises';
import { getManyValues, isMany, none } from 'stream-chain/defs.js';
import { jsonParser, type Token } from 'stream-json/core/parser.js';
import { LadingError, quote } from '../model/errors.js';
import { foldKey, invalid } from '../model/json.js';
import { parseQuickly } from './quick-json.js';

const KNOWN_WORDS = (
  'schemaVersion mediaType artifactType config layers manifests subject annotations digest size urls data platform ' +
  'architecture os os.version os.features variant rootfs type diff_ids imageLayoutVersion RepoTags created'
).split(' ');

/** Keys that readers in Go match in any case: with `Size` beside `size`, two readers would see different documents. */
const KNOWN_KEYS: ReadonlyMap<string, string> = new Map(KNOWN_WORDS.map((key) => [key.toLowerCase(), key]));

/**
 * Characters that the tokenizer takes at once: all their tokens are in memory together. Then other work of the process
 * gets its turn; this much takes some five milliseconds.
 */
const TEXT_CHUNK = 64 * 1024;

/**
 * Parses strict JSON: valid UTF-8, no BOM, one value, no key twice or in two cases in one object, at most `maxDepth`
 * levels. Holds the text and the value. Throws ERR_DOCUMENT_INVALID, ERR_LIMIT_DEPTH; `where` names the document.
 */
export async function parseStrictJson(bytes: Uint8Array, where: string, maxDepth: number): Promise<unknown> {
  const text = decode(bytes, where);
  const quick = parseQuickly(text, maxDepth, KNOWN_KEYS);
  return quick === undefined ? await parseByTokens(text, where, maxDepth) : quick.value;
}

/** The same for any text, with the reason if it is refused. Long texts are parsed in turns. */
export async function parseByTokens(text: string, where: string, maxDepth: number): Promise<unknown> {
  const builder = new ValueBuilder(where, maxDepth);
  for (const _ of parsing(text, where, builder)) await setImmediate();
  return builder.finish();
}

/** The same as `parseStrictJson`, at once, for a small document. It takes some 80 ms for 1 MiB. */
export function parseStrictJsonAtOnce(bytes: Uint8Array, where: string, maxDepth: number): unknown {
  const builder = new ValueBuilder(where, maxDepth);
  for (const _ of parsing(decode(bytes, where), where, builder)) continue;
  return builder.finish();
}

/** Gives the tokens of the text to the builder. Yields where other work may have its turn. */
function* parsing(text: string, where: string, builder: ValueBuilder): Generator<void> {
  try {
    const tokenize = tokenizer();
    for (let at = 0; at < text.length; at += TEXT_CHUNK) {
      if (at > 0) yield;
      for (const token of tokenize(text.slice(at, at + TEXT_CHUNK))) builder.take(token);
    }
    for (const token of tokenize(none)) builder.take(token);
  } catch (error) {
    if (error instanceof LadingError) throw error;
    throw new LadingError('ERR_DOCUMENT_INVALID', `${where}: not valid JSON`, { cause: error });
  }
}

/** Calls the tokenizer as a function, `none` at the end: as a stream it takes 30 times as long for a small document. */
function tokenizer(): (text: string | typeof none) => readonly Token[] {
  const tokenize = jsonParser({ streamValues: false, packValues: true });
  return (text) => valuesOf(tokenize(text as never));
}

function valuesOf(output: unknown): readonly Token[] {
  if (output === none || output === undefined) return [];
  // The tokenizer returns one token or a bundle of them (stream-chain, "many").
  return isMany(output) ? (getManyValues(output) as Token[]) : [output as Token];
}

function decode(bytes: Uint8Array, where: string): string {
  try {
    // ignoreBOM keeps a byte-order mark in the text, where the tokenizer refuses it.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new LadingError('ERR_DOCUMENT_INVALID', `${where}: not valid UTF-8`, { cause });
  }
}

/** An array or object that is not closed yet, and the key that waits for its value. */
interface Level {
  readonly container: unknown[] | Record<string, unknown>;
  readonly keys: Set<string>;
  key: string;
}

/** Builds the value from its tokens. Objects and arrays are plain; `__proto__` becomes a field like any other. */
class ValueBuilder {
  readonly #where: string;
  readonly #maxDepth: number;
  readonly #levels: Level[] = [];
  #value: unknown;
  #isDone = false;

  constructor(where: string, maxDepth: number) {
    this.#where = where;
    this.#maxDepth = maxDepth;
  }

  take(token: Token): void {
    switch (token.name) {
      case 'startObject':
        return this.#open({});
      case 'startArray':
        return this.#open([]);
      case 'endObject':
      case 'endArray':
        return this.#close();
      case 'keyValue':
        return this.#takeKey(token.value);
      case 'numberValue':
        return this.#put(Number(token.value));
      case 'stringValue':
      case 'nullValue':
      case 'trueValue':
      case 'falseValue':
        return this.#put(token.value);
      default:
        throw invalid(this.#where, `unexpected ${token.name}`);
    }
  }

  finish(): unknown {
    if (!this.#isDone) throw invalid(this.#where, 'the document is empty or ends too early');
    return this.#value;
  }

  #open(container: Level['container']): void {
    if (this.#levels.length >= this.#maxDepth) {
      throw new LadingError('ERR_LIMIT_DEPTH', `${this.#where}: more than ${this.#maxDepth} levels deep`);
    }
    this.#levels.push({ container, keys: new Set(), key: '' });
  }

  #close(): void {
    const closed = this.#levels.pop();
    if (closed !== undefined) this.#put(closed.container);
  }

  #takeKey(key: string): void {
    const level = this.#levels.at(-1);
    if (level === undefined) return;
    const known = KNOWN_KEYS.get(foldKey(key));
    const folded = known === undefined ? ` ${key}` : known;
    if (level.keys.has(folded)) throw this.#repeated(key);
    level.keys.add(folded);
    level.key = key;
  }

  #repeated(key: string): LadingError {
    const steps = this.#levels.slice(0, -1).map(({ container, key: own }) => {
      return Array.isArray(container) ? `[${container.length}]` : `.${own}`;
    });
    const message = `${this.#where}: the key ${quote(key)} stands twice`;
    return new LadingError('ERR_DOCUMENT_INVALID', message, { details: { path: steps.join('').replace(/^\./, '') } });
  }

  #put(value: unknown): void {
    const level = this.#levels.at(-1);
    if (level === undefined) {
      this.#value = value;
      this.#isDone = true;
    } else if (Array.isArray(level.container)) {
      level.container.push(value);
    } else {
      const field = { value, enumerable: true, writable: true, configurable: true };
      if (level.key === '__proto__') Object.defineProperty(level.container, level.key, field);
      else level.container[level.key] = value;
    }
  }
}
