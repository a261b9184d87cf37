import {
  contentOf,
  DESCRIPTOR,
  failures,
  listOf,
  NAME,
  object,
  PLATFORM,
  query,
  REGISTRY_AUTH,
  string,
  text,
} from './schema-parts.js';
import { STATUS } from './statuses.js';

/* The parameters and answers of the routes that speak to registries. */

const LINES = {
  description: 'Lines of JSON: status with id and progressDetail, or error and errorDetail.',
  type: 'string',
};
export const PULL_SCHEMA = {
  summary: 'Pull images from a registry',
  tags: ['registries'],
  headers: REGISTRY_AUTH,
  querystring: query({
    fromImage: text('Image name.'),
    fromSrc: text('Not served.'),
    tag: text('Tag or digest; without one, also none in the name, every tag of the repository.'),
    platform: text('From API 1.32: os[/arch[/variant]].'),
  }),
  response: { [STATUS.ok]: LINES, ...failures('badRequest', 'forbidden', 'notFound', 'headersTooLarge') },
};
export const PUSH_SCHEMA = {
  summary: 'Push images to a registry',
  tags: ['registries'],
  headers: REGISTRY_AUTH,
  params: NAME,
  querystring: query({
    tag: text('Tag; without one, also none in the name, every tag that the store has of the repository.'),
    platform: text(`From API 1.46: ${PLATFORM}.`),
  }),
  response: { [STATUS.ok]: LINES, ...failures('badRequest', 'forbidden', 'notFound', 'headersTooLarge') },
};
export const DISTRIBUTION_SCHEMA = {
  summary: 'What a name means in its registry',
  tags: ['registries'],
  headers: REGISTRY_AUTH,
  params: NAME,
  response: {
    [STATUS.ok]: object(
      { Descriptor: DESCRIPTOR, Platforms: listOf({ type: 'object' }, 'As the index lists them.') },
      'The root of the image.',
    ),
    ...failures('badRequest', 'unauthorized', 'forbidden', 'notFound', 'headersTooLarge'),
  },
};
export const AUTH_SCHEMA = {
  summary: 'Check credentials of a registry',
  tags: ['registries'],
  body: contentOf(
    ['application/json'],
    object({ username: string, password: string, serveraddress: string }, 'Credentials.'),
  ),
  response: {
    [STATUS.ok]: object({ Status: string, IdentityToken: string }, 'The registry takes them.'),
    ...failures('badRequest', 'unauthorized', 'forbidden', 'contentTooLarge'),
  },
};
