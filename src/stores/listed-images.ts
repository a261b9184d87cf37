import { companionSubject } from '../model/companion-tag.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { groupBy } from '../model/group-by.js';
import { subjectOf, type ImageRecord } from '../model/image-list.js';
import { onceFor } from '../model/once-for.js';
import { resolveRecords } from '../model/resolve-records.js';

/** Answers questions about one list of images. Holds the list, and its referrers by subject. */
export class ListedImages {
  readonly records: readonly ImageRecord[];
  #referrers: ReadonlyMap<Digest, readonly ImageRecord[]> | undefined;
  #tagged: ReadonlyMap<string, readonly ImageRecord[]> | undefined;

  constructor(records: readonly ImageRecord[]) {
    this.records = records;
  }

  /** The images that the texts mean, in the order of the texts. Throws what `resolveRecords` throws. */
  resolve(texts: readonly string[]): readonly ImageRecord[] {
    return texts.flatMap((text) => resolveRecords(this.records, text)).flatMap((record) => this.#withTags(record));
  }

  /** An image that has only tags keeps them, also where it is asked for by its id. */
  #withTags(record: ImageRecord): readonly ImageRecord[] {
    if (record.name !== undefined || record.tag !== undefined) return [record];
    this.#tagged ??= groupBy(this.records, ({ tag, descriptor }) => tag && descriptor.digest);
    return this.#tagged.get(record.descriptor.digest) ?? [record];
  }

  /** The roots of the names; a name that is not listed is left out. */
  holders(names: readonly string[]): ReadonlyMap<string, Digest> {
    const asked = new Set<string | undefined>(names);
    const found = this.records.filter(({ name }) => asked.has(name));
    return new Map(found.map(({ name = '', descriptor }) => [name, descriptor.digest]));
  }

  /** The images of a repository that belong to one of the digests, as their names say, in the order of the list. */
  companionsOf(repository: string, subjects: ReadonlySet<Digest>): readonly ImageRecord[] {
    return this.records.filter((record) => {
      const subject = companionSubject(record);
      return subject !== undefined && subjects.has(subject) && isIn(repository, record);
    });
  }

  /** The referrers of the subject, in the order of the list. */
  referrersOf(subject: Digest): readonly Descriptor[] {
    this.#referrers ??= groupBy(this.records, subjectOf);
    return (this.#referrers.get(subject) ?? []).map(({ descriptor }) => descriptor);
  }
}

function isIn(repository: string, { name = '' }: ImageRecord): boolean {
  return name.startsWith(`${repository}:`);
}

/** Returns a function that finds the referrers of a subject among these records. */
export function referrersIn(records: readonly ImageRecord[]): (subject: Digest) => Promise<readonly Descriptor[]> {
  const listed = listedImagesOf(records);
  return async (subject) => listed.referrersOf(subject);
}

const listedImagesOf = onceFor((records: readonly ImageRecord[]) => new ListedImages(records));
