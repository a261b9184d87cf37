import { parseReference } from './reference.js';
import { repositoryOf } from './resolve-records.js';

/**
 * A pattern for names, as Go's path.Match has it and docker uses it: `*` and `?` match no slash, `[a-z]` and `[^a-z]` match one
 * character, a backslash takes the next character as it is. It is compiled once, for any number of texts.
 */
export class Glob {
  readonly #tokens: readonly Token[];
  /** The least number of characters that fit. */
  readonly #least: number;
  #steps = 0;

  private constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
    this.#least = this.#tokens.filter((token) => token !== '*').length;
  }

  /** The compiled pattern; undefined if it is malformed. */
  static parse(pattern: string): Glob | undefined {
    const tokens = tokensOf(pattern);
    return tokens && new Glob(tokens);
  }

  /** The steps that all matches so far have taken. */
  get steps(): number {
    return this.#steps;
  }

  /** The most steps that a match with this text can take. */
  stepsFor(text: string): number {
    return (this.#tokens.length + 1) * (text.length + 1);
  }

  /** Whether the whole text fits. */
  matches(text: string): boolean {
    if (text.length < this.#least) return false;
    const tokens = this.#tokens;
    const characters = Array.from(text);
    let [token, at] = [0, 0];
    // The last star, and how far its text reaches. Going back to an earlier star would find nothing more.
    let [star, reach] = [-1, 0];
    while (token < tokens.length || at < characters.length) {
      this.#steps += 1;
      const [fits, character] = [tokens[token], characters[at]];
      if (fits === '*') {
        [star, reach] = [token, at];
        token += 1;
      } else if (character !== undefined && fits?.(character) === true) {
        token += 1;
        at += 1;
      } else {
        if (star < 0 || reach >= characters.length || characters[reach] === '/') return false;
        reach += 1;
        [token, at] = [star + 1, reach];
      }
    }
    return true;
  }
}

/** One part of a pattern: `*` for any text without slash, or a test of one character. */
type Token = '*' | ((character: string) => boolean);

const MEMBER = String.raw`(?:\\[^]|[^\]\\-])`;
const RANGE = `(${MEMBER})(?:-(${MEMBER}))?`;
const TOKEN = new RegExp(String.raw`\\([^])|\[(?!\^\])(\^?)((?:${RANGE})+)\]|([^[\\])|[^]`, 'gu');

function tokensOf(pattern: string): readonly Token[] | undefined {
  const tokens: Token[] = [];
  for (const [, escaped, negation, set, , , plain] of pattern.matchAll(TOKEN)) {
    const literal = escaped ?? plain;
    if (set !== undefined) tokens.push(negation === '^' ? not(memberOf(set)) : memberOf(set));
    else if (literal === undefined) return undefined;
    else if (plain === '*') tokens.push('*');
    else tokens.push(plain === '?' ? (character) => character !== '/' : (character) => character === literal);
  }
  return tokens;
}

/** Tests whether a character is in one of the ranges of a set. */
function memberOf(set: string): (character: string) => boolean {
  const ranges = [...set.matchAll(new RegExp(RANGE, 'gu'))].map(([, low = '', high = low]) => [code(low), code(high)]);
  const isMember = (own: number): boolean => ranges.some(([low = 0, high = 0]) => low <= own && own <= high);
  // Names are ASCII. With a table, a set of a thousand characters takes one step, too.
  const ascii = Array.from({ length: 128 }, (_, own) => isMember(own));
  return (character) => ascii[code(character)] ?? isMember(code(character));
}

function not(fits: (character: string) => boolean): (character: string) => boolean {
  return (character) => !fits(character);
}

/** The code point of a character, which may have a backslash before it. */
function code(character: string): number {
  return character.codePointAt(character.length > 1 && character.startsWith('\\') ? 1 : 0) ?? 0;
}

/** What a pattern may mean by a full name: as docker prints it or in full, each with and without its tag. */
export function textsOfName(name: string): readonly string[] {
  const forms = [parseReference(name).familiar(), name];
  return [...new Set(forms.flatMap((form) => [form, repositoryOf(form)]))];
}

/** Whether a text is a pattern, not a name: no name has these characters. */
export function isPattern(text: string): boolean {
  return /[*?[\]\\]/.test(text);
}
