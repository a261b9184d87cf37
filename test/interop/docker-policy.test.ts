import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { example, FAMILIAR } from '../fixtures/example.js';
import { policyBytes } from '../fixtures/policies.js';
import { asLayoutImage, cosignLayer, signatureRecord, signer, simplePayload } from '../fixtures/signatures.js';
import { dockerTest } from './docker.js';

const RELEASE = signer('release');

/** A policy file for the servers of this process: images of docker.io/example must be signed. */
const POLICY = join(tmpdir(), `lading-policy-${process.pid}.json`);
const RULES = [{ names: ['docker.io/example/**'], signatures: [{ keys: ['release'] }] }];
writeFileSync(POLICY, policyBytes({ release: RELEASE }, RULES));
process.once('exit', () => rmSync(POLICY, { force: true }));

dockerTest('load and tag show why a policy denies an image', { options: ['--policy', POLICY] }, async (bench) => {
  const { docker, run, refused, archive, at, audited } = bench;
  const { status, stderr, stdout } = await run(['load', '-i', archive]);
  assert.equal(status, 1);
  assert.match(
    `${stderr}${stdout}`,
    /nothing was loaded: example\/app:1: sha256:.* has no signature that can be checked/,
  );
  const record = await audited('load');
  assert.deepEqual([record.code, record.decisions?.[0]?.decision], ['ERR_SIGNATURE_MISSING', 'denied']);
  const built = example();
  const layer = cosignLayer(RELEASE, simplePayload(built.root.digest));
  const signature = asLayoutImage(signatureRecord(built.blobs, built.root, layer));
  await writeFile(at('signed.tar'), await layoutArchive([...built.images, signature], built.blobs));
  await docker('load', '-i', at('signed.tar'));
  assert.match(
    await refused('tag', FAMILIAR, 'team/app:1'),
    /nothing was tagged: team\/app:1: no rule allows this name/,
  );
  await docker('tag', FAMILIAR, 'example/app:2');
});
