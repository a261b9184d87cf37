import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { LadingError } from '../../src/model/errors.js';
import { parsePolicy, type ParsePolicyOptions } from '../../src/trust/parse-policy.js';
import { ruleFor } from '../../src/trust/policy.js';
import { signer } from '../fixtures/signatures.js';

const RELEASE = signer('release');
const VENDOR = signer('vendor', 'Ed25519');
const DIGEST = `sha256:${'a'.repeat(64)}`;

/** A policy with every member that there is. */
function whole() {
  return {
    version: 1,
    keys: { release: { pem: RELEASE.pem }, vendor: { file: 'vendor.pub' } } as Record<string, unknown>,
    default: 'deny',
    rules: [
      {
        names: ['registry.example.com/team/**'],
        unnamed: false,
        signatures: [{ keys: ['release', 'vendor'], threshold: 2, identity: 'stated', cover: 'each' }],
        attestations: [
          { predicateType: 'https://slsa.dev/provenance/v1', keys: ['release'], threshold: 1, cover: 'root' },
        ],
        platforms: ['linux/amd64', 'linux/arm64'],
        requirePlatforms: ['linux/amd64'],
        digests: [DIGEST],
        maxBytes: 2_000_000_000,
        maxLayers: 100,
        overwrite: 'same-digest',
        verifyPresent: true,
      },
      { names: ['**'], deny: 'only images of the team' },
    ],
  };
}

const readFile = (): string => VENDOR.pem;

function parse(value: unknown, options: ParsePolicyOptions = { readFile }) {
  return parsePolicy(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), options);
}

test('reads every member of a policy', () => {
  const { default: otherwise, rules } = parse(whole());
  const [rule, last] = rules;
  assert.deepEqual([otherwise, rules.length, last?.deny], ['deny', 2, 'only images of the team']);
  assert.deepEqual([rule?.label, rule?.overwrite, rule?.verifyPresent], ['rules[0]', 'same-digest', true]);
  const [signatures] = rule?.signatures ?? [];
  assert.deepEqual([signatures?.threshold, signatures?.keys.map(({ name }) => name)], [2, ['release', 'vendor']]);
  assert.deepEqual([rule?.attestations[0]?.cover, rule?.digests, rule?.maxLayers], ['root', [DIGEST], 100]);
  assert.deepEqual([rule?.platforms?.length, rule?.requirePlatforms?.[0]?.architecture], [2, 'amd64']);
});

test('fills in what a policy leaves out', () => {
  const { rules } = parse({
    version: 1,
    keys: { release: { pem: RELEASE.pem } },
    default: 'allow',
    rules: [{ names: ['**'], signatures: [{ keys: ['release'] }] }],
  });
  const [rule] = rules;
  assert.deepEqual(
    [rule?.unnamed, rule?.overwrite, rule?.verifyPresent, rule?.attestations, rule?.deny],
    [false, 'allow', false, [], undefined],
  );
  const [demand] = rule?.signatures ?? [];
  assert.deepEqual([demand?.threshold, demand?.identity, demand?.cover], [1, 'stated', 'each']);
  assert.deepEqual(parse({ version: 1, default: 'allow', rules: [] }).rules, []);
  assert.deepEqual(parse({ version: 1, default: 'deny', rules: [{ names: [], unnamed: true }] }).rules[0]?.names, []);
});

test('gives the reader the path as it stands, and takes bytes or a text from it', () => {
  const asked: string[] = [];
  const given = whole();
  parse(given, { readFile: (path) => Buffer.from((asked.push(path), VENDOR.pem)) });
  assert.deepEqual(asked, ['vendor.pub']);
});

type Whole = ReturnType<typeof whole>;

/** One change to a good policy, the code, and the path of the wrong member. */
const WRONG: Readonly<Record<string, readonly [change: (policy: Whole) => unknown, path: string]>> = {
  'no object': [() => [], ''],
  null: [() => null, ''],
  'an unknown member': [(policy) => ({ ...policy, rule: [] }), 'rule'],
  'a member in another case': [(policy) => ({ ...policy, Rules: policy.rules }), 'Rules'],
  'no version': [without('version'), 'version'],
  'another version': [(policy) => ({ ...policy, version: 2 }), 'version'],
  'a version as a text': [(policy) => ({ ...policy, version: '1' }), 'version'],
  'no default': [without('default'), 'default'],
  'another default': [(policy) => ({ ...policy, default: 'warn' }), 'default'],
  'no rules': [without('rules'), 'rules'],
  'rules that are no list': [(policy) => ({ ...policy, rules: {} }), 'rules'],
  'a rule that is null': [(policy) => ({ ...policy, rules: [null] }), 'rules[0]'],
  'a rule without names': [(policy) => ({ ...policy, rules: [{ deny: 'x' }] }), 'rules[0].names'],
  'no name': [(policy) => ({ ...policy, rules: [{ names: [] }] }), 'rules[0].names'],
  'a name that is no text': [(policy) => ({ ...policy, rules: [{ names: [1] }] }), 'rules[0].names[0]'],
  'a familiar name': [(policy) => ({ ...policy, rules: [{ names: ['**', 'busybox'] }] }), 'rules[0].names[1]'],
  'a rule that denies and demands': [withRule({ deny: 'no' }), 'rules[0].signatures'],
  'an empty reason': [(policy) => ({ ...policy, rules: [{ names: ['**'], deny: '' }] }), 'rules[0].deny'],
  'a denial without reason': [(policy) => ({ ...policy, rules: [{ names: ['**'], deny: true }] }), 'rules[0].deny'],
  'an unknown member of a rule': [withRule({ level: 'strict' }), 'rules[0].level'],
  'unnamed that is no flag': [withRule({ unnamed: 'yes' }), 'rules[0].unnamed'],
  'no signature': [withRule({ signatures: [] }), 'rules[0].signatures'],
  'signatures of nobody': [withRule({ signatures: [{}] }), 'rules[0].signatures[0].keys'],
  'signatures without keys': [withRule({ signatures: [{ keys: [] }] }), 'rules[0].signatures[0].keys'],
  'a key that is not there': [withRule({ signatures: [{ keys: ['nobody'] }] }), 'rules[0].signatures[0].keys[0]'],
  'a key of every object': [withRule({ signatures: [{ keys: ['toString'] }] }), 'rules[0].signatures[0].keys[0]'],
  'a key twice': [withRule({ signatures: [{ keys: ['release', 'release'] }] }), 'rules[0].signatures[0].keys'],
  'a threshold above the keys': [
    withRule({ signatures: [{ keys: ['release'], threshold: 2 }] }),
    'rules[0].signatures[0].threshold',
  ],
  'a threshold of 0': [
    withRule({ signatures: [{ keys: ['release'], threshold: 0 }] }),
    'rules[0].signatures[0].threshold',
  ],
  'a threshold of 1.5': [
    withRule({ signatures: [{ keys: ['release', 'vendor'], threshold: 1.5 }] }),
    'rules[0].signatures[0].threshold',
  ],
  'another identity': [
    withRule({ signatures: [{ keys: ['release'], identity: 'no' }] }),
    'rules[0].signatures[0].identity',
  ],
  'a familiar repository': [
    withRule({ signatures: [{ keys: ['release'], identity: { repository: 'team/app' } }] }),
    'rules[0].signatures[0].identity.repository',
  ],
  'a repository with a tag': [
    withRule({ signatures: [{ keys: ['release'], identity: { repository: 'docker.io/team/app:1' } }] }),
    'rules[0].signatures[0].identity.repository',
  ],
  'another cover': [withRule({ signatures: [{ keys: ['release'], cover: 'some' }] }), 'rules[0].signatures[0].cover'],
  'an attestation of no type': [
    withRule({ attestations: [{ keys: ['release'] }] }),
    'rules[0].attestations[0].predicateType',
  ],
  'an identity of an attestation': [
    withRule({ attestations: [{ predicateType: 'x', keys: ['release'], identity: 'any' }] }),
    'rules[0].attestations[0].identity',
  ],
  'a platform that is none': [withRule({ platforms: ['linux/amd64', 'amd/64/'] }), 'rules[0].platforms[1]'],
  'no platforms': [withRule({ platforms: [] }), 'rules[0].platforms'],
  'a digest that is none': [withRule({ digests: ['sha256:A'] }), 'rules[0].digests[0]'],
  'a negative size': [withRule({ maxBytes: -1 }), 'rules[0].maxBytes'],
  'a size without end': [
    (policy) => JSON.stringify(withRule({ maxBytes: 1 })(policy)).replace('"maxBytes":1', '"maxBytes":1e999'),
    'rules[0].maxBytes',
  ],
  'another overwrite': [withRule({ overwrite: 'maybe' }), 'rules[0].overwrite'],
  'verifyPresent as a text': [withRule({ verifyPresent: 'true' }), 'rules[0].verifyPresent'],
  'a key with two forms': [withKey({ file: 'a', pem: 'b' }), 'keys.other'],
  'a key with none': [withKey({}), 'keys.other'],
  'a key of another kind': [withKey({ kms: 'x' }), 'keys.other.kms'],
  'one key under two names': [withKey({ pem: RELEASE.pem }), 'keys.other'],
  'a key with an odd name': [(policy) => ({ ...policy, keys: { 'a b': { pem: RELEASE.pem } } }), 'keys["a b"]'],
  'a member twice': [() => '{"version":1,"default":"allow","rules":[],"default":"deny"}', ''],
  'a member of a rule twice': [
    () => '{"version":1,"default":"allow","rules":[{"names":["**"]},{"names":["**"],"names":["**"]}]}',
    'rules[1]',
  ],
  'a comment': [(policy) => `// ours\n${JSON.stringify(policy)}`, ''],
  'a byte-order mark': [(policy) => `\u{FEFF}${JSON.stringify(policy)}`, ''],
  'two documents': [(policy) => JSON.stringify(policy) + JSON.stringify(policy), ''],
  nothing: [() => '', ''],
  'more than 1 MiB': [(policy) => `${JSON.stringify(policy)}${' '.repeat(1024 * 1024)}`, ''],
  'a hundred levels': [() => '['.repeat(100) + ']'.repeat(100), ''],
};

function without(member: keyof Whole): (policy: Whole) => unknown {
  return (policy) => Object.fromEntries(Object.entries(policy).filter(([key]) => key !== member));
}

function withRule(change: object): (policy: Whole) => unknown {
  return (policy) => ({ ...policy, rules: [{ ...policy.rules[0], ...change }] });
}

function withKey(key: object): (policy: Whole) => unknown {
  return (policy) => ({ ...policy, keys: { ...policy.keys, other: key } });
}

for (const [what, [change, path]] of Object.entries(WRONG)) {
  test(`refuses a policy with ${what}, and names the place`, () => {
    assert.throws(() => parse(change(whole())), { code: 'ERR_POLICY_INVALID', details: { path } });
  });
}

test('refuses keys that are none, and files that cannot be read', () => {
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const secret = own.export({ type: 'pkcs8', format: 'pem' }).toString();
  assert.throws(() => parse(withKey({ pem: secret })(whole())), { code: 'ERR_KEY_INVALID', message: /"other"/ });
  const path = 'keys.vendor.file';
  const failing: readonly ParsePolicyOptions[] = [
    {},
    {
      readFile: () => {
        throw new Error('ENOENT');
      },
    },
    { readFile: () => 'x'.repeat(65 * 1024) },
  ];
  for (const options of failing)
    assert.throws(() => parse(whole(), options), { code: 'ERR_POLICY_INVALID', details: { path } });
  assert.throws(() => parse(whole(), { readFile: (() => 1) as never }), { code: 'ERR_OPTION_INVALID' });
});

test('any member that is left out or added is told or has a default, never an accident', () => {
  const paths = [['version'], ['default'], ['rules'], ['rules', 0, 'names'], ['rules', 0, 'signatures', 0, 'keys']];
  for (const steps of paths) {
    const policy = whole();
    const last = steps.at(-1) as string;
    let holder = policy as unknown as Record<string, unknown>;
    for (const step of steps.slice(0, -1)) holder = holder[step] as Record<string, unknown>;
    delete holder[last];
    assert.throws(() => parse(policy), { code: 'ERR_POLICY_INVALID' }, steps.join('.'));
  }
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.jsonValue(), (key, value) => {
      const policy = { ...whole(), [`x${key}`]: value };
      assert.throws(() => parse(policy), { code: 'ERR_POLICY_INVALID' });
      assert.throws(() => parse(withRule({ [`x${key}`]: value })(whole())), { code: 'ERR_POLICY_INVALID' });
    }),
  );
});

test('a later rule never changes what an earlier one decided', () => {
  const names = ['docker.io/library/a:1', 'docker.io/team/a:2', 'registry.example.com/team/b/c:1'];
  const pattern = fc.constantFrom(
    '**',
    'docker.io/**',
    'docker.io/library/*',
    '*.example.com/team/**',
    'docker.io/team/a:2',
  );
  const rule = fc.record({ names: fc.array(pattern, { minLength: 1 }), unnamed: fc.boolean() });
  fc.assert(
    fc.property(fc.array(rule), rule, (rules, later) => {
      const before = parse({ version: 1, default: 'deny', rules });
      const after = parse({ version: 1, default: 'deny', rules: [...rules, later] });
      for (const name of [undefined, ...names]) {
        const decided = ruleFor(before, name === undefined ? {} : { name });
        if (decided !== undefined)
          assert.equal(ruleFor(after, name === undefined ? {} : { name })?.label, decided.label);
      }
    }),
  );
});

test('answers any bytes with a policy or with its own errors', () => {
  const text = JSON.stringify(whole());
  const mutated = fc.tuple(fc.nat(text.length), fc.nat(8), fc.string()).map(([at, gone, put]) => {
    return text.slice(0, at) + put + text.slice(at + gone);
  });
  fc.assert(
    fc.property(fc.oneof(mutated, fc.json(), fc.string()), (input) => {
      try {
        parse(input);
      } catch (error) {
        assert.ok(error instanceof LadingError, String(error));
        assert.ok(['ERR_POLICY_INVALID', 'ERR_KEY_INVALID'].includes(error.code), error.code);
      }
    }),
    { numRuns: 400 },
  );
});
