import { renamedSource, sourceNameOf, type Renaming } from '../copy/renamed-source.js';
import { LadingError, quote } from '../model/errors.js';
import { parseReference } from '../model/reference.js';
import type { ImageSource } from '../stores/store.js';
import { nameAt, type Place } from './transports.js';

/** Images of one place, and the name that they get at the other, if one was given. */
export interface Named {
  readonly to: Place;
  readonly names: readonly string[];
  readonly name?: string | undefined;
}

/** A source as the destination names its images, and what they are called at the source itself. */
export interface RenamedImages {
  readonly source: ImageSource;
  readonly names: readonly string[];
  readonly sourceName: (name: string) => string;
}

/** The source as the destination names its images. */
export function renamedTo(
  source: ImageSource,
  all: readonly Named[],
  options: { readonly allTags?: boolean },
): RenamedImages {
  if (all.every(({ name }) => name === undefined))
    return { source, names: all.flatMap(({ names }) => names), sourceName: (name) => name };
  const renamings = all.flatMap(({ to, names, name }) =>
    names.map((from) => ({ from, to: name === undefined ? from : newName(to, name, from, options) })),
  );
  checkDistinct(renamings);
  return {
    source: renamedSource(source, renamings),
    names: renamings.map(({ to }) => to),
    sourceName: (name) => sourceNameOf(name, renamings),
  };
}

function newName(to: Place, name: string, from: string, { allTags = false }: { readonly allTags?: boolean }): string {
  const reference = parseReference(nameAt(to, name, from));
  if (allTags && reference.tag !== undefined) throw wrong('--all-tags takes a destination without a tag');
  return (allTags ? reference : reference.withDefaultTag()).toString();
}

function checkDistinct(renamings: readonly Renaming[]): void {
  const known = new Map<string, string>();
  for (const { from, to } of renamings) {
    const other = known.get(to) ?? from;
    if (other !== from) throw wrong(`${quote(other)} and ${quote(from)} would both become ${to}`);
    known.set(to, from);
  }
}

function wrong(message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message);
}
