import type { WrittenTag } from '../copy/expired-tags.js';
import { isDigest } from '../model/digest.js';
import type { ReportEvent } from './copy-event.js';

interface Entry extends WrittenTag {
  /** The repository that the image came from: `docker://HOST/PATH`. */
  readonly source: string;
}

/** After these, the tag is not there, or it is of others. */
const FORGOTTEN: readonly ReportEvent['status'][] = ['removed', 'gone', 'moved'];

/** Which tags the events of reports have written, and not removed since. Holds a record for each of them. */
export class TagHistory {
  readonly #tags = new Map<string, Entry>();

  /** Takes the next event. */
  note(event: ReportEvent): void {
    const { from, to, status } = event;
    const at = splitTag(to);
    if (at === undefined) return;
    if (FORGOTTEN.includes(status)) this.#tags.delete(to);
    const source = splitTag(from)?.repository;
    if (source === undefined || (status !== 'copied' && status !== 'up-to-date')) return;
    const [image, ...others] = event.images ?? [];
    const digest = image?.digest;
    if (digest === undefined || !isDigest(digest) || others.length > 0) return;
    const known = this.#tags.get(to);
    // What was there before is not ours.
    if (status === 'up-to-date' && (known?.digest !== digest || known.source !== source)) return;
    this.#tags.delete(to);
    this.#tags.set(to, { source, tag: at.tag, digest, lastWantedMs: timeOf(event.time) });
  }

  /** The tags of a destination that were copied from a source; both are `docker://HOST/PATH`. The last one is last. */
  written(source: string, destination: string): readonly WrittenTag[] {
    return [...this.#tags].flatMap(([to, entry]) =>
      entry.source === source && to === `${destination}:${entry.tag}` ? [entry] : [],
    );
  }
}

function splitTag(place: string): { readonly repository: string; readonly tag: string } | undefined {
  const [, repository, tag] = /^(docker:\/\/[^@]+):([^:/@]+)$/.exec(place) ?? [];
  return repository === undefined || tag === undefined ? undefined : { repository, tag };
}

function timeOf(text: string | undefined): number | undefined {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? undefined : time;
}
