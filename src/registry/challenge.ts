/** One challenge of a `WWW-Authenticate` header (RFC 9110, 11.6.1). */
export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Parameters by name in lower case; of two with one name the first counts. */
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = /[\w!#$%&'*+.^`|~-]+/y;
const TOKEN68 = /[\w.~+/-]+=*(?=\s*(?:,|$))/y;
const BLANKS = /[ \t,]*/y;
const EQUALS = /[ \t]*=[ \t]*/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/sy;

/** Longer headers are cut: no registry sends one. */
const MAX_CHARACTERS = 16 * 1024;

/**
 * The challenges of all `WWW-Authenticate` headers, in their order. A text that breaks the grammar ends the list; what
 * came before counts.
 */
export function parseChallenges(headers: readonly string[]): readonly Challenge[] {
  return headers.flatMap((header) => [...challengesIn(header.slice(0, MAX_CHARACTERS))]);
}

function* challengesIn(text: string): Generator<Challenge> {
  const reader = new Reader(text);
  reader.take(BLANKS);
  let scheme = reader.take(TOKEN);
  while (scheme !== undefined) {
    const parameters = new Map<string, string>();
    reader.take(BLANKS);
    let next = reader.take(TOKEN68) === undefined ? reader.take(TOKEN) : undefined;
    while (next !== undefined && reader.take(EQUALS) !== undefined) {
      const value = reader.takeQuoted() ?? reader.take(TOKEN) ?? '';
      if (!parameters.has(next.toLowerCase())) parameters.set(next.toLowerCase(), value);
      reader.take(BLANKS);
      next = reader.take(TOKEN);
    }
    yield { scheme: scheme.toLowerCase(), parameters };
    reader.take(BLANKS);
    scheme = next ?? reader.take(TOKEN);
  }
}

/** Takes pieces of a text from left to right. Each pattern is sticky and takes linear time. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  take(pattern: RegExp): string | undefined {
    return this.#match(pattern)?.[0];
  }

  takeQuoted(): string | undefined {
    return this.#match(QUOTED)?.[1]?.replaceAll(/\\(.)/gs, '$1');
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text) ?? undefined;
    if (match !== undefined) this.#at = pattern.lastIndex;
    return match;
  }
}

/** The challenge to answer: Bearer before Basic. Others, such as Negotiate, are not known. */
export function usableChallenge(challenges: readonly Challenge[]): Challenge | undefined {
  const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'));
  return bearer ?? challenges.find(({ scheme }) => scheme === 'basic');
}

/** The scopes of a Bearer challenge, each by itself: registries join several with blanks. */
export function scopesOf({ parameters }: Challenge): readonly string[] {
  return (parameters.get('scope') ?? '').split(' ').filter((scope) => scope !== '');
}
