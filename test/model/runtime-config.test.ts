import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ImageConfig } from '../../src/model/image-config.js';
import type { JsonObject } from '../../src/model/json.js';
import { imageProcessOf, runtimeConfigOf, type BundleCaller } from '../../src/model/runtime-config.js';

const BASE = { os: 'linux', architecture: 'arm64' } as const;
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

interface Found {
  readonly process: JsonObject & { readonly capabilities: Readonly<Record<string, readonly string[]>> };
  readonly annotations: JsonObject;
  readonly mounts: readonly { readonly destination: string; readonly source: string; readonly options: string[] }[];
  readonly linux: JsonObject & { readonly namespaces: readonly { readonly type: string }[] };
}

function configOf(image: ImageConfig, caller: BundleCaller = 'root', user = { uid: 0, gid: 0 }): Found {
  // The shape that this test looks at.
  return runtimeConfigOf(image, imageProcessOf(image, 'sha256:x'), { user, caller }) as unknown as Found;
}

function typesOf({ linux }: Found): readonly string[] {
  return linux.namespaces.map(({ type }) => type);
}

function mountAt({ mounts }: Found, place: string) {
  return mounts.find(({ destination }) => destination === place);
}

describe('the config of a bundle', () => {
  test('runs the entrypoint with the command, in the working directory, with the environment as it is', () => {
    const config = {
      Entrypoint: ['/e', 'a'],
      Cmd: ['c d'],
      WorkingDir: 'w/../x/',
      Env: ['B=2', 'PATH=/p', 'A=1', 'B=3'],
    };
    const { process } = configOf({ ...BASE, config });
    assert.deepEqual(
      [process['args'], process['cwd'], process['env'], process['terminal'], process['noNewPrivileges']],
      [['/e', 'a', 'c d'], '/x', ['B=2', 'PATH=/p', 'A=1', 'B=3'], false, false],
    );
  });

  test('runs a shell in / with a PATH where the image says nothing', () => {
    for (const config of [{}, { config: {} }, { config: { Entrypoint: null, Cmd: null, Env: null, Labels: null } }]) {
      const { process } = configOf({ ...BASE, ...config });
      assert.deepEqual([process['args'], process['cwd'], process['env']], [['/bin/sh'], '/', [PATH]]);
    }
  });

  test('gives root the capabilities of the Engine, and other users none that are active', () => {
    const { bounding = [], ...root } = configOf(BASE).process.capabilities;
    assert.equal(bounding.length, 14);
    assert.deepEqual(root, { effective: bounding, permitted: bounding, inheritable: [], ambient: [] });
    const { capabilities } = configOf(BASE, 'root', { uid: 5, gid: 0 }).process;
    assert.deepEqual(capabilities, { bounding, effective: [], permitted: [], inheritable: [], ambient: [] });
  });

  test('has the annotations of image-spec, and labels win', () => {
    const image = {
      ...BASE,
      variant: 'v8',
      'os.version': '1',
      'os.features': ['a', 'b'],
      author: 'me',
      created: '2020-01-01T00:00:00Z',
      config: {
        StopSignal: 'SIGINT',
        ExposedPorts: { '80/tcp': {}, '53/udp': {} },
        Labels: { 'org.opencontainers.image.author': 'you', __proto__x: 'y', empty: '' },
      },
    };
    const prefix = 'org.opencontainers.image';
    assert.deepEqual(configOf(image).annotations, {
      [`${prefix}.os`]: 'linux',
      [`${prefix}.architecture`]: 'arm64',
      [`${prefix}.variant`]: 'v8',
      [`${prefix}.os.version`]: '1',
      [`${prefix}.os.features`]: 'a,b',
      [`${prefix}.author`]: 'you',
      [`${prefix}.created`]: '2020-01-01T00:00:00Z',
      [`${prefix}.stopSignal`]: 'SIGINT',
      [`${prefix}.exposedPorts`]: '53/udp,80/tcp',
      __proto__x: 'y',
      empty: '',
    });
  });

  test('of a user who is not root has a user namespace of one id, and nothing that only root may mount', () => {
    const [root, other] = [configOf(BASE), configOf(BASE, { uid: 7, gid: 9 })];
    assert.deepEqual(typesOf(root), ['pid', 'ipc', 'uts', 'mount', 'network']);
    assert.deepEqual(typesOf(other), ['pid', 'ipc', 'uts', 'mount', 'user']);
    assert.deepEqual(
      [other.linux['uidMappings'], other.linux['gidMappings'], other.linux['resources'], root.linux['uidMappings']],
      [[{ containerID: 0, hostID: 7, size: 1 }], [{ containerID: 0, hostID: 9, size: 1 }], undefined, undefined],
    );
    assert.deepEqual(
      [mountAt(root, '/dev/pts')?.options.includes('gid=5'), mountAt(other, '/dev/pts')?.options.includes('gid=5')],
      [true, false],
    );
    assert.deepEqual([mountAt(root, '/sys')?.source, mountAt(other, '/sys')?.source], ['sysfs', '/sys']);
  });

  for (const [what, config] of Object.entries({
    'an argument that is no text': { Cmd: [1] },
    'a command that is no list': { Cmd: 'sh' },
    'an argument with a zero byte': { Entrypoint: ['a\0b'] },
    'a variable with a zero byte': { Env: ['A=\0'] },
    'a label that is no text': { Labels: { a: 1 } },
    'a user that is no text': { User: 0 },
    'a key in another case': { entrypoint: ['x'] },
  })) {
    test(`refuses ${what}`, () => {
      assert.throws(() => configOf({ ...BASE, config }), { code: 'ERR_DOCUMENT_INVALID' });
    });
  }
});
