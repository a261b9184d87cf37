import { Glob } from '../model/glob.js';
import { isTag, parseReference } from '../model/reference.js';

/** A pattern for full names of images. */
export interface NamePattern {
  /** As it stands in the policy. */
  readonly text: string;
  readonly matches: (name: string) => boolean;
}

/** Any number of whole components. */
const REST = '**';

/**
 * Reads a pattern for names in normal form, `domain/path:tag`. `*` stands for a part of one component, in a domain only
 * as `*.` at its start; `**` for one or more whole components at the end of the path, alone for every name. Without a
 * tag any tag or digest fits. Returns a text that says what is wrong with it.
 */
export function readNamePattern(text: string): NamePattern | string {
  if (text === REST) return { text, matches: () => true };
  const fault = faultIn(text);
  if (fault !== undefined) return fault;
  const [domain = '', ...parts] = text.split('/');
  const [last = '', tag] = (parts.pop() ?? '').split(':');
  const isOpen = last === REST;
  const path = [...parts, ...(isOpen ? [] : [last])].map((part) => globOf(part));
  const tagGlob = tag === undefined ? undefined : globOf(tag);
  const fits = (name: string): boolean => {
    const { domain: host, path: repository, tag: own } = parseReference(name);
    const components = repository.split('/');
    if (!fitsDomain(domain, host) || components.length < path.length + (isOpen ? 1 : 0)) return false;
    if (!isOpen && components.length > path.length) return false;
    if (!path.every((glob, at) => glob.matches(components[at] ?? ''))) return false;
    return tagGlob === undefined || (own !== undefined && tagGlob.matches(own));
  };
  return { text, matches: fits };
}

function globOf(part: string): Glob {
  const glob = Glob.parse(part);
  // Checked before: nothing in it but a star is special.
  if (glob === undefined) throw new Error(`${part} is no pattern`);
  return glob;
}

function fitsDomain(domain: string, host: string): boolean {
  return domain.startsWith('*.') ? host.endsWith(domain.slice(1)) : host === domain;
}

const ALLOWED = /^[a-z0-9._/:*-]+$/i;

function faultIn(text: string): string | undefined {
  if (text.includes('@')) return 'a pattern has no digest; use "digests"';
  if (!ALLOWED.test(text)) return 'a pattern has letters, digits and . _ - / : * only';
  const start = text.lastIndexOf('/') + 1;
  const [last = '', tag, ...more] = text.slice(start).split(':');
  if (more.length > 0 || tag === '') return 'a pattern has one tag at most';
  if (tag !== undefined && (tag.includes(REST) || !isTag(concrete(tag)))) return 'that tag cannot be';
  const parts = [...text.slice(0, start).split('/').slice(0, -1), last];
  if (parts.some((part) => part.includes(REST) && part !== REST)) return '"**" stands for whole components';
  if (parts.slice(0, -1).includes(REST)) return '"**" stands at the end of the path only';
  const [domain = ''] = parts;
  if (parts.length > 1 && domain.replace(/^\*\./, '').includes('*'))
    return 'the domain may have a star only as "*." at its start';
  return nameFault(parts, tag === undefined ? '' : `:${tag}`);
}

/** What the pattern could stand for. */
function concrete(part: string): string {
  return part === REST ? 'x/x' : part.replaceAll('*', 'x');
}

/** A familiar name is refused: whoever writes `busybox` must not find later that it fits nothing. */
function nameFault(parts: readonly string[], tag: string): string | undefined {
  const example = parts.map(concrete).join('/');
  const full = fullName(example);
  if (full === undefined) return 'no name can look like it';
  if (full === example) return undefined;
  const added = full.endsWith(example) ? full.slice(0, -example.length) : '';
  const own = added === '' ? parts.slice(1).join('/') : parts.join('/');
  const [host = ''] = full.split('/');
  const official = added === '' && parts.length === 2 && full.startsWith(`${host}/library/`) ? 'library/' : '';
  return `names are matched in full; write ${added === '' ? `${host}/${official}` : added}${own}${tag}`;
}

function fullName(example: string): string | undefined {
  try {
    return parseReference(example).toString();
  } catch {
    return undefined;
  }
}
