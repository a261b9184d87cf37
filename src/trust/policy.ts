import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { ImageRecord } from '../model/image-list.js';
import type { Platform } from '../model/platform.js';
import { fields, listOf, OBJECT, oneOf } from '../model/rules.js';
import type { NamePattern } from './name-pattern.js';
import type { PublicKey } from './public-key.js';

/** What must be signed. `each`: every manifest that is here, itself or by an index above it. `root`: the root. */
export type Cover = 'each' | 'root';

/**
 * What a signature must say of its repository. `stated`: if it names one, that of the image. `required`: it must name
 * it. `any`: nothing. An object names another repository that it must state: that of a mirror's source.
 */
export type Identity = 'stated' | 'required' | 'any' | { readonly repository: string };

/** Signatures that an image must have: by so many different ones of the keys. */
export interface SignatureDemand {
  readonly keys: readonly PublicKey[];
  readonly threshold: number;
  readonly cover: Cover;
  readonly identity: Identity;
}

/** Attestations of one type that an image must have: by so many different ones of the keys. */
export interface AttestationDemand {
  readonly predicateType: string;
  readonly keys: readonly PublicKey[];
  readonly threshold: number;
  readonly cover: Cover;
}

/** A rule of a policy. All of its demands must be met. */
export interface PolicyRule {
  /** How reports call it: `rules[0]`. */
  readonly label: string;
  readonly names: readonly NamePattern[];
  /** Whether it is for images without a name, too. */
  readonly unnamed: boolean;
  /** Why nothing that it matches is allowed; undefined for a rule with demands. */
  readonly deny?: string;
  readonly signatures: readonly SignatureDemand[];
  readonly attestations: readonly AttestationDemand[];
  /** Nothing else may be there. */
  readonly platforms?: readonly Platform[];
  /** Each of these must be complete. */
  readonly requirePlatforms?: readonly Platform[];
  /** The root must be one of them. */
  readonly digests?: readonly Digest[];
  /** The most bytes of the image's distinct blobs, packed. */
  readonly maxBytes?: number;
  /** The most distinct layers of the image. */
  readonly maxLayers?: number;
  /** `same-digest`: a name that the store has may be given only to the same image. `deny`: to none. */
  readonly overwrite: 'allow' | 'deny' | 'same-digest';
  /** Whether blobs that the store had are hashed again. */
  readonly verifyPresent: boolean;
}

/** Which images may get a name. Made by `parsePolicy`. */
export interface Policy {
  /** What becomes of an image that no rule matches. */
  readonly default: 'allow' | 'deny';
  /** The first rule that matches a name decides. */
  readonly rules: readonly PolicyRule[];
}

/** A policy as an argument. */
export const POLICY = fields(
  { default: oneOf('allow', 'deny'), rules: listOf(OBJECT) },
  'a policy, made by parsePolicy',
);

/** A rule without demands. */
export const NO_DEMANDS = {
  unnamed: false,
  signatures: [],
  attestations: [],
  overwrite: 'allow',
  verifyPresent: false,
} as const satisfies Partial<PolicyRule>;

/** The policy that allows every image which one of the keys has signed. */
export function policyOfKeys(
  keys: readonly PublicKey[],
  { cover = 'each', identity = 'stated' }: { readonly cover?: Cover; readonly identity?: Identity } = {},
): Policy {
  const names = [{ text: '**', matches: () => true }];
  const signatures = [{ keys, threshold: 1, cover, identity }];
  return { default: 'deny', rules: [{ ...NO_DEMANDS, label: 'keys', names, unnamed: true, signatures }] };
}

/** The one policy that two options state. Throws ERR_OPTION_INVALID if both are given. */
export function policyFrom({
  policy,
  keys = [],
}: {
  readonly policy?: Policy | undefined;
  readonly keys?: readonly PublicKey[] | undefined;
}): Policy | undefined {
  if (policy === undefined || keys.length === 0) return policy ?? (keys.length === 0 ? undefined : policyOfKeys(keys));
  const message = 'keys and a policy exclude each other; name the keys in the policy';
  throw new LadingError('ERR_OPTION_INVALID', message, { details: { option: 'keys' } });
}

/** The rule for an image: the first that matches its name; undefined if none does, and the default decides. */
export function ruleFor({ rules }: Policy, { name }: Pick<ImageRecord, 'name'>): PolicyRule | undefined {
  return rules.find(({ names, unnamed }) =>
    name === undefined ? unnamed : names.some(({ matches }) => matches(name)),
  );
}
