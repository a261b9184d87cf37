import { withMethods } from '../model/rules.js';
import type { DestinationSession, ImageDestination, ImageSource, SourceReader, Store } from './store.js';

/* What a caller must pass as a store, or as a part of one: an object with the methods that are called. */

const PROVIDER_METHODS = ['stat', 'open'] as const;
const SOURCE_METHODS = [
  ...PROVIDER_METHODS,
  'resolve',
  'referrersOf',
  'companionsOf',
  'reader',
] satisfies (keyof ImageSource)[];
const DESTINATION_METHODS = ['holders', 'session'] satisfies (keyof ImageDestination)[];
const STORE_METHODS = ['list', 'digests', 'prune', 'quarantine'] satisfies (keyof Store)[];
const READER_METHODS = [...PROVIDER_METHODS, 'claim', 'end'] satisfies (keyof SourceReader)[];
const SESSION_METHODS = ['begin', 'publish', 'discard'] satisfies (keyof DestinationSession)[];

export const PROVIDER = withMethods('a provider of content', PROVIDER_METHODS);
export const SOURCE = withMethods('a source of images', SOURCE_METHODS);
export const DESTINATION = withMethods('a destination for images', DESTINATION_METHODS);
export const HOUSEKEEPING = withMethods('a store', ['quarantine']);
export const STORE = withMethods('a store', [...SOURCE_METHODS, ...DESTINATION_METHODS, ...STORE_METHODS]);
export const READER = withMethods('a reader of a store', READER_METHODS);
export const SESSION = withMethods('a session of a store', [...READER_METHODS, ...SESSION_METHODS]);
