import { quote } from '../model/errors.js';
import type { ImageRecord } from '../model/image-list.js';
import { isTag } from '../model/reference.js';
import type { Warning } from '../survey/reports.js';

/** How many images the warning tells how to name. */
const MAX_SHOWN = 5;

/**
 * One warning of the loaded images that have only a tag, with the commands that give them a name. `listed` are the
 * images of the store now: a tag that a name of the same image has needs no warning.
 */
export function tagWarnings(loaded: readonly ImageRecord[], listed: readonly ImageRecord[]): readonly Warning[] {
  const inList = new Set(listed.map(keyOf));
  const tagged = loaded.filter((record) => record.tag !== undefined && inList.has(keyOf(record)));
  const [first] = tagged;
  if (first === undefined) return [];
  const commands = tagged.slice(0, MAX_SHOWN).map(commandOf).join('; ');
  if (tagged.length === 1) {
    const { digest } = first.descriptor;
    const message = `${digest} has only the tag ${quote(String(first.tag))}, no repository; to name it: ${commands}`;
    return [{ code: 'WARN_TAG_ONLY', message, image: digest }];
  }
  const more = tagged.length > MAX_SHOWN ? `; and ${tagged.length - MAX_SHOWN} more` : '';
  const message = `${tagged.length} images have only a tag, no repository; to name them: ${commands}${more}; or load again with --name REPO`;
  return [{ code: 'WARN_TAG_ONLY', message }];
}

/** Never a tag that a shell or a name would not take: it is a stranger's text, and people copy the line. */
function commandOf({ tag = '', descriptor }: ImageRecord): string {
  return `lading tag ${descriptor.digest} REPO:${isTag(tag) ? tag : 'TAG'}`;
}

function keyOf({ tag, descriptor }: ImageRecord): string {
  return `${descriptor.digest} ${tag}`;
}
