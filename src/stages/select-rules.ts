import { ALL_LIMITS } from '../model/limits.js';
import { CALLBACK, FLAG, listOf, oneOf, optionsOf, TEXT, withMethods } from '../model/rules.js';
import { READER } from '../stores/port-rules.js';
import type { SelectEntriesOptions } from './records.js';

const RULES = {
  present: READER,
  platforms: withMethods('a PlatformSet', ['wants', 'note']),
  referrers: oneOf('follow', 'drop'),
  limits: ALL_LIMITS,
  damage: oneOf('fatal', 'later'),
  passesAll: FLAG,
  untilStored: CALLBACK,
};
/** The rules for the options of a selection of entries. */
export const SELECT_ARGUMENTS = {
  options: optionsOf<SelectEntriesOptions>(
    {
      ...RULES,
      images: listOf(TEXT),
      watcher: withMethods('a watcher', ['listed', 'passedOver']),
      thin: withMethods('a watcher', ['listed', 'known']),
    },
    Object.keys(RULES) as (keyof SelectEntriesOptions)[],
  ),
};
