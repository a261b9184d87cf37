import { existsSync } from 'node:fs';

/** An archive to read, and the image of it that is meant. */
export interface InputChoice {
  readonly input?: string;
  readonly image?: string;
}

/**
 * `FILE:TAG` as the archive and one image of it, as skopeo has it. A path that exists means itself, whatever its name.
 * Of several colons, the last one counts after which a path is left that exists.
 */
export function inputChoice(input: string | undefined): InputChoice {
  if (input === undefined) return {};
  for (let at = input.length; at > 0; at = input.lastIndexOf(':', at - 1)) {
    if (!existsSync(input.slice(0, at))) continue;
    if (at === input.length) break;
    const image = input.slice(at + 1);
    return image === '' ? { input } : { input: input.slice(0, at), image };
  }
  return { input };
}
