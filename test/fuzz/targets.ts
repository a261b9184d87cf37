import { jsonTarget } from './json-target.js';
import { loadTargets } from './load-targets.js';
import { tarTargets } from './tar-targets.js';
import type { FuzzTarget } from './target.js';
import { textTargets } from './text-targets.js';

/** Everything that is fuzzed. */
export const targets: readonly FuzzTarget[] = [...tarTargets, ...textTargets, jsonTarget, ...loadTargets];
