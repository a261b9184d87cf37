import { parseStrictJsonAtOnce } from '../content/strict-json.js';
import { parseDigest } from '../model/digest.js';
import { asError, LadingError, quote } from '../model/errors.js';
import { DEFAULT_LIMITS } from '../model/limits.js';
import { parsePlatform, type Platform } from '../model/platform.js';
import { parseReference } from '../model/reference.js';
import { BYTES, CALLBACK, check, optionsOf } from '../model/rules.js';
import { readNamePattern, type NamePattern } from './name-pattern.js';
import {
  anyMembersOf,
  countOf,
  flagOf,
  itemsOf,
  membersOf,
  policyFault,
  readAt,
  textOf,
  wordOf,
  type Member,
} from './policy-members.js';
import {
  NO_DEMANDS,
  type AttestationDemand,
  type Identity,
  type Policy,
  type PolicyRule,
  type SignatureDemand,
} from './policy.js';
import { MAX_KEY_BYTES, parsePublicKey, type PublicKey } from './public-key.js';

/** How to read the files that a policy names. */
export interface ParsePolicyOptions {
  /** Returns the content of a key file. Gets the path as the policy has it. Without it a policy may name no file. */
  readonly readFile?: (path: string) => Uint8Array | string;
}

const ARGUMENTS = { bytes: BYTES, options: optionsOf<ParsePolicyOptions>({ readFile: CALLBACK }) };

/** The most bytes of a policy. */
export const MAX_POLICY_BYTES = 1024 * 1024;

type Keys = ReadonlyMap<string, PublicKey>;

/**
 * Reads a policy: strict JSON of at most 1 MiB (docs/trust.md, "The policy file"). Members that are not known are
 * refused, and so are those that stand twice. Throws ERR_POLICY_INVALID, whose `details.path` names the wrong member,
 * and ERR_KEY_INVALID.
 */
export function parsePolicy(bytes: Uint8Array, options: ParsePolicyOptions = {}): Policy {
  check(ARGUMENTS, { bytes, options });
  if (bytes.length > MAX_POLICY_BYTES) throw policyFault('', `it has more than ${MAX_POLICY_BYTES} bytes`);
  const policy = { value: parsed(bytes), path: '' };
  const { version, keys, default: otherwise, rules } = membersOf(policy, ['version', 'default', 'rules'], ['keys']);
  if (version.value !== 1) throw policyFault('version', 'only 1 is known');
  const known = keys === undefined ? new Map<string, PublicKey>() : keysOf(keys, options);
  return { default: wordOf(otherwise, ['allow', 'deny']), rules: rulesOf(rules, known) };
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return parseStrictJsonAtOnce(bytes, 'policy', DEFAULT_LIMITS.maxJsonDepth);
  } catch (error) {
    if (!(error instanceof LadingError)) throw error;
    const { path = '' } = error.details as { readonly path?: string };
    throw policyFault(path, error.message.replace(/^policy: /, ''), error);
  }
}

/** A list of rules may be empty: then the default decides everything. */
function rulesOf(rules: Member, keys: Keys): readonly PolicyRule[] {
  if (Array.isArray(rules.value) && rules.value.length === 0) return [];
  return itemsOf(rules).map((rule) => ruleOf(rule, keys));
}

/** A name in a report. */
const KEY_NAME = /^[\w.-]{1,64}$/;

function keysOf(keys: Member, options: ParsePolicyOptions): Keys {
  const known = new Map<string, PublicKey>();
  const byId = new Map<string, string>();
  for (const [name, member] of anyMembersOf(keys)) {
    if (!KEY_NAME.test(name)) throw policyFault(member.path, 'a key has a name of letters, digits and . _ -');
    const key = parsePublicKey(pemOf(member, options), name);
    const twin = byId.get(key.id);
    if (twin !== undefined) throw policyFault(member.path, `it is the same key as ${quote(twin)}`);
    byId.set(key.id, name);
    known.set(name, key);
  }
  return known;
}

function pemOf(member: Member, { readFile }: ParsePolicyOptions): string {
  const { file, pem } = membersOf(member, [], ['file', 'pem']);
  if ((file === undefined) === (pem === undefined)) throw policyFault(member.path, 'it must have "file" or "pem"');
  if (file === undefined) return textOf(pem as Member);
  if (readFile === undefined) throw policyFault(file.path, 'files cannot be read here; use "pem"');
  const content = read(readFile, textOf(file), file.path);
  if (content.length > MAX_KEY_BYTES) throw policyFault(file.path, 'the file is larger than any key');
  return typeof content === 'string' ? content : Buffer.from(content).toString('latin1');
}

function read(readFile: (path: string) => unknown, file: string, path: string): Uint8Array | string {
  let content: unknown;
  try {
    content = readFile(file);
  } catch (cause) {
    throw policyFault(path, `the file ${quote(file)} cannot be read: ${asError(cause).message}`, cause);
  }
  if (typeof content === 'string' || content instanceof Uint8Array) return content;
  throw new LadingError('ERR_OPTION_INVALID', 'readFile must return bytes or a text', {
    details: { option: 'readFile' },
  });
}

const DEMANDS = [
  'signatures',
  'attestations',
  'platforms',
  'requirePlatforms',
  'digests',
  'maxBytes',
  'maxLayers',
  'overwrite',
  'verifyPresent',
] as const;

function ruleOf(rule: Member, keys: Keys): PolicyRule {
  const members = membersOf(rule, ['names'], ['unnamed', 'deny', ...DEMANDS]);
  const { unnamed, deny, signatures, attestations, platforms, requirePlatforms, digests } = members;
  const { maxBytes, maxLayers, overwrite, verifyPresent } = members;
  const demand = DEMANDS.find((key) => members[key] !== undefined);
  if (deny !== undefined && demand !== undefined)
    throw policyFault(members[demand]?.path ?? '', 'a rule that denies has no demands');
  return {
    ...NO_DEMANDS,
    label: rule.path,
    names: namesOf(members.names, unnamed).map(patternOf),
    ...(unnamed && { unnamed: flagOf(unnamed) }),
    ...(deny && { deny: textOf(deny) }),
    ...(signatures && { signatures: itemsOf(signatures).map((item) => signatureDemandOf(item, keys)) }),
    ...(attestations && { attestations: itemsOf(attestations).map((item) => attestationDemandOf(item, keys)) }),
    ...(platforms && { platforms: platformsOf(platforms) }),
    ...(requirePlatforms && { requirePlatforms: platformsOf(requirePlatforms) }),
    ...(digests && { digests: itemsOf(digests).map((item) => readAt(item, () => parseDigest(textOf(item)))) }),
    ...(maxBytes && { maxBytes: countOf(maxBytes) }),
    ...(maxLayers && { maxLayers: countOf(maxLayers) }),
    ...(overwrite && { overwrite: wordOf(overwrite, ['allow', 'deny', 'same-digest']) }),
    ...(verifyPresent && { verifyPresent: flagOf(verifyPresent) }),
  };
}

/** A rule for images without a name alone has no pattern. */
function namesOf(names: Member, unnamed: Member | undefined): readonly Member[] {
  const isForUnnamed = unnamed?.value === true && Array.isArray(names.value) && names.value.length === 0;
  return isForUnnamed ? [] : itemsOf(names);
}

function patternOf(item: Member): NamePattern {
  const pattern = readNamePattern(textOf(item));
  if (typeof pattern === 'string') throw policyFault(item.path, pattern);
  return pattern;
}

function platformsOf(member: Member): readonly Platform[] {
  return itemsOf(member).map((item) => readAt(item, () => parsePlatform(textOf(item))));
}

function signatureDemandOf(item: Member, known: Keys): SignatureDemand {
  const { keys, threshold, identity, cover } = membersOf(item, ['keys'], ['threshold', 'identity', 'cover']);
  return {
    ...signersOf(keys, threshold, known),
    identity: identity === undefined ? 'stated' : identityOf(identity),
    cover: coverOf(cover),
  };
}

function attestationDemandOf(item: Member, known: Keys): AttestationDemand {
  const { predicateType, keys, threshold, cover } = membersOf(item, ['predicateType', 'keys'], ['threshold', 'cover']);
  return { predicateType: textOf(predicateType), ...signersOf(keys, threshold, known), cover: coverOf(cover) };
}

function coverOf(cover: Member | undefined): SignatureDemand['cover'] {
  return cover === undefined ? 'each' : wordOf(cover, ['each', 'root']);
}

function signersOf(
  names: Member,
  threshold: Member | undefined,
  known: Keys,
): Pick<SignatureDemand, 'keys' | 'threshold'> {
  const keys = itemsOf(names).map((item) => {
    const key = known.get(textOf(item));
    if (key === undefined) throw policyFault(item.path, `the policy has no key ${quote(textOf(item))}`);
    return key;
  });
  if (new Set(keys).size < keys.length) throw policyFault(names.path, 'a key stands twice in the list');
  return { keys, threshold: threshold === undefined ? 1 : countOf(threshold, keys.length) };
}

function identityOf(identity: Member): Identity {
  if (typeof identity.value === 'string') return wordOf(identity, ['stated', 'required', 'any'] as const);
  const { repository } = membersOf(identity, ['repository'], []);
  const { domain, path, tag, digest } = readAt(repository, () => parseReference(textOf(repository)));
  const full = `${domain}/${path}`;
  if (tag === undefined && digest === undefined && textOf(repository) === full) return { repository: full };
  throw policyFault(repository.path, `it must be a repository in full, without a tag: ${full}`);
}
