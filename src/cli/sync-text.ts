import { parseStrictJson } from '../content/strict-json.js';
import { LadingError, quote } from '../model/errors.js';

/** A document is written by people. This much takes a second to parse. */
const MAX_BYTES = 1024 * 1024;

/** Levels of lists and objects. */
const MAX_DEPTH = 16;

/** Members that a document starts with; a line of a list has two places. */
const YAML_START = /^(?:---(?:\s.*)?|(?:sync|defaults|"sync"|"defaults"):(?:\s.*)?)$/;

/**
 * Whether the text is a sync document, in JSON or YAML, and not a list of lines. The file's ending says so, or how the
 * text starts.
 */
export function isSyncText(text: string, file: string): boolean {
  if (/\.(?:ya?ml|json)$/i.test(file)) return true;
  const [first = ''] = text.split(/\r?\n/).filter((line) => !/^\s*(?:#.*)?$/.test(line));
  return first.trimStart().startsWith('{') || YAML_START.test(first);
}

/** The value of a document. Throws ERR_OPTION_INVALID for what is neither JSON nor YAML, with the line. */
export async function parseSyncText(text: string, file: string): Promise<unknown> {
  if (Buffer.byteLength(text) > MAX_BYTES) throw wrong(`${quote(file)} is no sync document: it is over 1 MiB`);
  if (!text.trimStart().startsWith('{')) return await parseYaml(text, file);
  return await parseStrictJson(Buffer.from(text), file, MAX_DEPTH).catch((cause: unknown) => {
    throw wrong(`${quote(file)} is no sync document: ${(cause as Error).message}`, cause);
  });
}

/** YAML 1.2 with its core types only. An alias may not stand for more than it says. */
async function parseYaml(text: string, file: string): Promise<unknown> {
  const { parseDocument } = await import('yaml');
  const document = parseDocument(text, { uniqueKeys: true, schema: 'core', logLevel: 'silent', prettyErrors: true });
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) throw wrong(`${quote(file)} is no sync document: ${firstLine(fault.message)}`, fault);
  try {
    return document.toJS({ maxAliasCount: 20 });
  } catch (cause) {
    throw wrong(`${quote(file)} is no sync document: ${firstLine((cause as Error).message)}`, cause);
  }
}

function firstLine(message: string): string {
  return message.split('\n')[0]?.replace(/:$/, '') ?? '';
}

function wrong(message: string, cause?: unknown): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message, { cause });
}
