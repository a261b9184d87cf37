import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { runCommand } from '../fixtures/command.js';
import { projectRoot } from '../fixtures/tables.js';

/* The tests of trust must fail for a program that trusts what it should not. Each mutant is one such program. */

/** One change of the compiled program, and the tests that must notice it. */
interface Mutant {
  /** What the program does then. */
  readonly title: string;
  /** The compiled file in `src`, its text, which stands there once, and what takes its place. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** The compiled test in `test`, and the names of tests in it. */
  readonly test: string;
  readonly names: string;
}

const MUTANTS: readonly Mutant[] = [
  {
    title: 'verifies no signature',
    file: 'trust/check-signature.js',
    from: 'return verify(algorithm,',
    to: 'return true || verify(algorithm,',
    test: 'trust/verify-trust.test.js',
    names: 'takes no signature (?:by another key|over another payload)',
  },
  {
    title: 'does not compare the digest of a simple signing',
    file: 'trust/payloads.js',
    from: "if (image['docker-manifest-digest'] !== digest)",
    to: 'if (false)',
    test: 'trust/verify-trust.test.js',
    names: 'takes no signature over another digest',
  },
  {
    title: 'does not compare the digest of a statement',
    file: 'trust/payloads.js',
    from: 'if (!subjects.some((subject, at) => isAbout(',
    to: 'if (false && !subjects.some((subject, at) => isAbout(',
    test: 'trust/verify-trust.test.js',
    names: 'takes no signature a statement',
  },
  {
    title: 'reads a payload before its signature is checked',
    file: 'trust/judge-signature.js',
    from: 'const signers = await signersOf(signed, keys);',
    to: 'await signed.read(); const signers = await signersOf(signed, keys);',
    test: 'trust/hostile-signatures.test.js',
    names: 'reads nothing of a payload',
  },
  {
    title: 'trusts a hint',
    file: 'trust/judge-signature.js',
    from: 'if (signatures.some((signature) => isSignedBy(key, bytes, signature, form)))',
    to: 'if (hint === key.id || signatures.some((signature) => isSignedBy(key, bytes, signature, form)))',
    test: 'trust/verify-trust.test.js',
    names: 'trusts no hint',
  },
  {
    title: 'takes any key for the wanted one',
    file: 'trust/signature-report.js',
    from: 'return signers.filter((key) => keys.includes(key));',
    to: 'return signers;',
    test: 'trust/policy-rules.test.js',
    names: 'takes the key that the entry names',
  },
  {
    title: 'demands a signature of the first platform only',
    file: 'trust/judge-signatures.js',
    from: 'here.length === 0 ? [target.descriptor.digest] : here;',
    to: 'here.length === 0 ? [target.descriptor.digest] : here.slice(0, 1);',
    test: 'trust/verify-trust.test.js',
    names: 'covers each manifest',
  },
  {
    title: 'takes what the tag of a signature names for a signature',
    file: 'load/judge-load.js',
    from: 'if (await isArtifact(documents, record.descriptor))',
    to: 'if (true)',
    test: 'load/load-policy.test.js',
    names: 'takes nothing that can run for a signature',
  },
  {
    title: 'takes a signature for one over a sibling of what it signs',
    file: 'trust/judge-signatures.js',
    from: 'if (node.parent !== undefined)\n                path.add(node.parent);',
    to: 'if (node.parent !== undefined) { path.add(node.parent); for (const other of places.keys()) path.add(other); }',
    test: 'trust/verify-trust.test.js',
    names: 'covers each manifest',
  },
  {
    title: 'counts a key as often as it signed',
    file: 'trust/judge-signatures.js',
    from: 'counts(judged).forEach((key) => signers.add(key));',
    to: 'counts(judged).forEach((key) => signers.add({ ...key }));',
    test: 'trust/policy-rules.test.js',
    names: 'counts different keys',
  },
  {
    title: 'takes an attestation for a signature',
    file: 'trust/payloads.js',
    from: '{ isSignature: false, predicateType }',
    to: '{ isSignature: true, predicateType }',
    test: 'trust/verify-trust.test.js',
    names: 'never counts an attestation',
  },
  {
    title: 'takes every spelling of base64',
    file: 'trust/base64.js',
    from: 'if (standard === text)',
    to: 'if (true)',
    test: 'trust/verify-trust.test.js',
    names: 'takes no signature in base64',
  },
  {
    title: 'does not compare the repository',
    file: 'trust/signature-report.js',
    from: 'if (said?.isSignature !== true || identityFault(judged, identity, name) !== undefined)',
    to: 'if (said?.isSignature !== true)',
    test: 'trust/verify-trust.test.js',
    names: 'compares the repository',
  },
  {
    title: 'takes a docker-archive for signed',
    file: 'trust/judge-image.js',
    from: 'const isMade = sources.made?.has(target.descriptor.digest) === true;',
    to: 'const isMade = false;',
    test: 'load/load-policy.test.js',
    names: 'finds no signature in a docker-archive',
  },
  {
    title: 'lets a later rule decide',
    file: 'trust/policy.js',
    from: 'return rules.find(',
    to: 'return rules.findLast(',
    test: 'trust/policy-rules.test.js',
    names: 'decides by the first rule that matches',
  },
  {
    title: 'gives names before the judgement is heeded',
    file: 'load/judge-load.js',
    from: 'demandAllowed(reports, outcome);',
    to: 'void demandAllowed;',
    test: 'load/load-policy.test.js',
    names: 'changes nothing for no signature, of three images',
  },
];

let copy = '';

before(async () => {
  const build = path.join(projectRoot(), 'build');
  copy = await mkdtemp(path.join(build, 'trust-mutants-'));
  for (const folder of ['src', 'test']) {
    await mkdir(path.join(copy, folder));
    await cp(path.join(build, folder), path.join(copy, folder), { recursive: true });
  }
});

after(async () => await rm(copy, { recursive: true, force: true }));

/** The exit status of the named tests, and how many of them ran. */
async function runTests({
  test: file,
  names,
}: Mutant): Promise<{ readonly status: number | null; readonly ran: number }> {
  const args = ['--test', '--test-reporter=tap', `--test-name-pattern=${names}`, path.join(copy, 'test', file)];
  const { status, stdout } = await runCommand(process.execPath, args, { env: { NODE_TEST_CONTEXT: undefined } });
  return { status, ran: [...stdout.matchAll(/^ *(?:not )?ok \d+ - (?!.*# SKIP)/gm)].length };
}

for (const mutant of MUTANTS) {
  test(`the tests notice a program that ${mutant.title}`, async () => {
    const file = path.join(copy, 'src', mutant.file);
    const text = await readFile(file, 'utf8');
    assert.equal(text.split(mutant.from).length, 2, 'the place of the change stands there once');
    const whole = await runTests(mutant);
    assert.equal(whole.status, 0, 'the tests pass for the program as it is');
    assert.ok(whole.ran > 0, 'there are such tests');
    await writeFile(
      file,
      text.replace(mutant.from, () => mutant.to),
    );
    try {
      assert.notEqual((await runTests(mutant)).status, 0);
    } finally {
      await writeFile(file, text);
    }
  });
}
