import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

/*
 * Writes sbom.cdx.json, the bill of materials of what users install, from package-lock.json. npm puts the time, a random
 * number and the name of the folder into it; they are replaced, so that the same sources give the same bytes.
 */

// Not with `--omit dev`: npm then leaves out a package that users need if a tool of ours needs it, too.
const ARGUMENTS = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'];
const { name } = JSON.parse(readFileSync('package.json', 'utf8'));
const { serialNumber: _, metadata, ...bill } = JSON.parse(execFileSync('npm', ARGUMENTS, { encoding: 'utf8' }));
const { timestamp: __, ...known } = { ...metadata, component: { ...metadata.component, name } };
const installed = new Set([metadata.component['bom-ref'], ...installedByUsers()]);
const isInstalled = (ref) => installed.has(ref);
const content = {
  ...bill,
  metadata: known,
  components: bill.components.filter((one) => isInstalled(one['bom-ref'])),
  dependencies: bill.dependencies
    .filter(({ ref }) => isInstalled(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter(isInstalled) })),
};
const [, a, b, c, d, e] = /^(.{8})(.{4}).(.{3}).(.{3})(.{12})/.exec(hashOf(JSON.stringify(content)));

// A UUID of version 8, whose bits are those of a hash.
const serialNumber = `urn:uuid:${a}-${b}-8${c}-8${d}-${e}`;
writeFileSync('sbom.cdx.json', `${JSON.stringify({ ...content, serialNumber }, null, 1)}\n`);

/** The packages of the lock file that are no development dependencies, as `name@version`. */
function installedByUsers() {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  return Object.entries(packages)
    .filter(([place, { dev }]) => place !== '' && dev !== true)
    .map(
      ([place, { version }]) =>
        `${place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length)}@${version}`,
    );
}

function hashOf(text) {
  return createHash('sha256').update(text).digest('hex');
}
