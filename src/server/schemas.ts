import {
  BYTES,
  contentOf,
  DESCRIPTOR,
  failures,
  FILTERS,
  INSPECTED,
  integer,
  listOf,
  NAME,
  object,
  PLAIN,
  PLATFORM,
  PLATFORMS,
  query,
  REMOVALS,
  SAVE_ANSWERS,
  SAVE_QUERY,
  STRICT,
  string,
  SUMMARY,
  text,
  texts,
} from './schema-parts.js';
import { STATUS } from './statuses.js';

/*
 * The parameters and answers of every route, for validation and for the OpenAPI document. Every parameter is a text,
 * since the Engine has its own rules for booleans and times.
 */

export const LOAD_SCHEMA = {
  summary: 'Load an archive',
  tags: ['archives'],
  body: contentOf(['application/x-tar'], BYTES),
  querystring: query({
    quiet: text('False: also send progress lines.'),
    platform: PLATFORMS,
    strict: STRICT,
    name: text('A repository for images that have only a tag; with a tag, the name of the only image.'),
    image: text('Only the images of the archive with this tag, name or digest.'),
  }),
  response: {
    [STATUS.ok]: {
      description: 'Lines of JSON: stream, or status and progressDetail, or error and errorDetail.',
      type: 'string',
    },
    ...failures('badRequest', 'notFound', 'requestTimeout', 'conflict', 'contentTooLarge', 'unprocessable'),
  },
};
export const SAVE_SCHEMA = {
  summary: 'Save images as one archive',
  tags: ['archives'],
  querystring: query({ names: texts('Image names, ids, or repositories.'), ...SAVE_QUERY }),
  response: SAVE_ANSWERS,
};
export const SAVE_NAMED_SCHEMA = {
  summary: 'Save one image as an archive',
  tags: ['archives'],
  params: NAME,
  querystring: query(SAVE_QUERY),
  response: SAVE_ANSWERS,
};
export const IMAGES_SCHEMA = {
  summary: 'List images',
  tags: ['images'],
  querystring: query({
    all: text('Has no effect here.'),
    digests: text('Has no effect here: digests are always listed.'),
    'shared-size': text('Has no effect here.'),
    filters: FILTERS,
    manifests: text('True, from API 1.47: every manifest of each image.'),
    identity: text('True, from API 1.54: the same. Nothing is known of who built an image.'),
  }),
  response: { [STATUS.ok]: listOf(SUMMARY, 'Newest first.'), ...failures('badRequest') },
};
export const INSPECT_SCHEMA = {
  summary: 'Inspect an image',
  tags: ['images'],
  params: NAME,
  querystring: query({
    manifests: text('True, from API 1.48: every manifest.'),
    platform: text(`From API 1.49: ${PLATFORM}. Not together with manifests.`),
  }),
  response: {
    [STATUS.ok]: INSPECTED,
    ...failures('badRequest', 'notFound'),
  },
};
export const HISTORY_SCHEMA = {
  summary: 'History of an image',
  tags: ['images'],
  params: NAME,
  querystring: query({ platform: text(`From API 1.48: ${PLATFORM}.`) }),
  response: {
    [STATUS.ok]: listOf(
      object({ Id: string, Created: integer, CreatedBy: string, Size: integer, Comment: string }, 'One step.'),
      'Newest first.',
    ),
    ...failures('badRequest', 'notFound'),
  },
};
export const ATTESTATIONS_SCHEMA = {
  summary: 'In-toto statements about one platform of an image, from API 1.55',
  tags: ['images'],
  params: NAME,
  querystring: query({
    platform: texts(`One at most: ${PLATFORM}; default that of the host.`),
    type: texts('Predicate types: only statements of one of them.'),
    statement: text('True: also the statements themselves, as they are stored.'),
  }),
  response: {
    [STATUS.ok]: listOf(
      object({ Descriptor: DESCRIPTOR, PredicateType: string, Statement: { type: 'object' } }, 'One statement.'),
      'In the order of the attestation manifests.',
    ),
    ...failures('badRequest', 'notFound', 'contentTooLarge'),
  },
};
export const TAG_SCHEMA = {
  summary: 'Give an image one more name',
  tags: ['images'],
  params: NAME,
  querystring: query({ repo: text('Repository, or a name with its tag.'), tag: text('Tag; default latest.') }),
  response: { [STATUS.created]: { description: 'Done.', type: 'null' }, ...failures('badRequest', 'notFound') },
};
export const REMOVE_SCHEMA = {
  summary: 'Remove a name, an image, or platforms of an image',
  tags: ['images'],
  params: NAME,
  querystring: query({
    force: text('True: also remove an id that has several names; required with platforms.'),
    noprune: text('Has no effect here.'),
    platforms: texts(`From API 1.50: remove only the content of these platforms, each ${PLATFORM}.`),
  }),
  response: { [STATUS.ok]: REMOVALS, ...failures('badRequest', 'notFound', 'conflict') },
};
export const PRUNE_SCHEMA = {
  summary: 'Remove images without a name',
  tags: ['images'],
  querystring: query({ filters: FILTERS }),
  response: {
    [STATUS.ok]: object({ ImagesDeleted: REMOVALS, SpaceReclaimed: integer }, 'What was removed.'),
    ...failures('badRequest', 'conflict'),
  },
};
export const EVENTS_SCHEMA = {
  summary: 'Events of images, as they happen',
  tags: ['system'],
  querystring: query({
    since: text('Seconds since 1970, RFC 3339, or a duration before now.'),
    until: text('In the same forms.'),
    filters: FILTERS,
  }),
  response: {
    [STATUS.ok]: {
      description: 'One JSON object after another; below API 1.52 as application/json.',
      ...contentOf(['application/jsonl', 'application/x-ndjson', 'application/json-seq', 'application/json'], string),
    },
    ...failures('badRequest'),
  },
};
export const DF_SCHEMA = {
  summary: 'Disk usage of images',
  tags: ['system'],
  querystring: query({
    type: texts('image, container, volume or build-cache.'),
    verbose: text('True: list every image.'),
  }),
  response: {
    [STATUS.ok]: object({}, 'One part for each kind of object; there are only images here.'),
    ...failures('badRequest'),
  },
};
export const VERSION_SCHEMA = {
  summary: 'Versions',
  tags: ['system'],
  response: {
    [STATUS.ok]: object(
      { Version: string, ApiVersion: string, MinAPIVersion: string, Os: string, Arch: string },
      'Versions.',
    ),
  },
};
export const INFO_SCHEMA = {
  summary: 'About this server',
  tags: ['system'],
  response: { [STATUS.ok]: object({ Images: integer, ServerVersion: string, Driver: string }, 'About this server.') },
};
export const PING_SCHEMA = {
  summary: 'Whether the server answers, and its API version',
  tags: ['system'],
  response: { [STATUS.ok]: { description: 'OK', ...PLAIN } },
};
export const PROBE_SCHEMA = {
  summary: 'Health of the server',
  tags: ['operation'],
  response: {
    [STATUS.ok]: { description: 'Healthy.', ...PLAIN },
    [STATUS.unavailable]: { description: 'Not ready.', ...PLAIN },
  },
};
export const METRICS_SCHEMA = {
  summary: 'Numbers for Prometheus',
  tags: ['operation'],
  response: { [STATUS.ok]: { description: 'Prometheus text.', ...PLAIN } },
};
export const OPENAPI_SCHEMA = {
  summary: 'This document',
  tags: ['operation'],
  response: { [STATUS.ok]: object({}, 'An OpenAPI document.') },
};
export const UNSUPPORTED_SCHEMA = { hide: true };
