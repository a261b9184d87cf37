import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { LADING, workspace, type Workspace } from '../fixtures/cli-workspace.js';
import { output, requireTool, runLading } from '../fixtures/command.js';
import { FAMILIAR } from '../fixtures/example.js';

/** The words that `lading __complete` answers with for a command line; its last word is being written. */
async function suggestions(line: string, env: Readonly<Record<string, string>> = {}): Promise<readonly string[]> {
  const { status, stdout, stderr } = await runLading(['__complete', ...line.split(' ').slice(1)], { env });
  assert.deepEqual([status, stderr], [0, '']);
  return stdout.split('\n').filter(Boolean);
}

const valuesOf = (lines: readonly string[]): readonly string[] => lines.map((line) => line.split('\t')[0] ?? '');

test('completes commands, options and choices, with what they mean', async () => {
  assert.deepEqual(await suggestions('lading sav'), ['save\tWrite images as one tar archive']);
  assert.ok(valuesOf(await suggestions('lading ')).includes('doctor'));
  assert.ok(!valuesOf(await suggestions('lading ')).includes('__complete'));
  assert.deepEqual(valuesOf(await suggestions('lading save --allow')), ['--allow-missing']);
  assert.deepEqual(await suggestions('lading save --index re'), ['rewrite']);
  assert.deepEqual(await suggestions('lading completion '), ['bash', 'zsh', 'fish']);
  assert.deepEqual(valuesOf(await suggestions('lading registry ')), ['rm']);
  assert.deepEqual(valuesOf(await suggestions('lading copy oci')), ['oci:', 'oci-archive:']);
});

test('leaves files and folders to the shell', async () => {
  for (const line of ['lading save -o ', 'lading load --input ', 'lading save --from-file x'])
    assert.deepEqual(await suggestions(line), [':files'], line);
  for (const line of ['lading --store ', 'lading load --unpack x', 'lading unpack app '])
    assert.deepEqual(await suggestions(line), [':folders'], line);
});

test('completes images and platforms of the store, also after a comma, and writes nothing', async (t) => {
  const { store } = await workspace(t, { loaded: true });
  const before = await readdir(store, { recursive: true });
  const env = { LADING_STORE: store };
  assert.deepEqual(await suggestions('lading save ex', env), [FAMILIAR]);
  assert.deepEqual(await suggestions('lading save a b ex', env), [FAMILIAR]);
  assert.deepEqual(await suggestions(`lading images --store ${store} `), [FAMILIAR]);
  const platforms = ['linux/amd64', 'linux/arm/v7', 'linux/arm64'];
  assert.deepEqual(await suggestions(`lading save ${FAMILIAR} --platform `, env), platforms);
  assert.deepEqual(await suggestions(`lading save --platform linux/arm64,linux/a ${FAMILIAR}`, env), [FAMILIAR]);
  const more = await suggestions(`lading save ${FAMILIAR} --platform linux/arm64,`, env);
  assert.deepEqual(more, ['linux/arm64,linux/amd64', 'linux/arm64,linux/arm/v7']);
  assert.deepEqual(await readdir(store, { recursive: true }), before);
});

test('says nothing where there is nothing to say', async (t) => {
  const { at } = await workspace(t);
  const strange = [
    'lading nonsense ',
    'lading tag a b ',
    'lading save -- --al',
    'lading save --nonsense= --plat=',
    'x',
  ];
  for (const line of strange) {
    const found = await suggestions(line, { LADING_STORE: at('none') });
    assert.deepEqual(found, line.startsWith('lading nonsense') || line === 'x' ? found : [], line);
  }
  await writeFile(at('file'), 'no store');
  assert.deepEqual(await suggestions('lading save ', { LADING_STORE: at('file') }), []);
});

interface Shell extends Workspace {
  /** Runs a shell in the folder of the test; `lading` is in PATH and has the example in its store. */
  readonly within: (file: string, args: readonly string[]) => Promise<string>;
}

async function shell(t: TestContext): Promise<Shell> {
  const space = await workspace(t, { loaded: true });
  const bin = space.at('bin');
  await mkdir(bin);
  await writeFile(path.join(bin, 'lading'), `#!/bin/sh\nexec '${process.execPath}' '${LADING}' "$@"\n`, {
    mode: 0o755,
  });
  await mkdir(space.at('folder'));
  const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}`, LADING_STORE: space.store, HOME: space.folder };
  return { ...space, within: async (file, args) => await output(file, args, { env, cwd: space.folder }) };
}

/** What bash would put in the place of the last word of the line. */
async function inBash({ within }: Shell, setup: string, line: string): Promise<readonly string[]> {
  const script = `
    ${setup}
    source <(lading completion bash)
    COMP_LINE='${line}' COMP_POINT=${line.length} COMP_TYPE=9
    # As readline does it: colons end words.
    mapfile -t COMP_WORDS < <(grep -oE ':|[^[:space:]:]+' <<<'${line}')
    [[ $COMP_LINE == *' ' ]] && COMP_WORDS+=('')
    COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
    compopt() { :; }
    _lading
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  return (await within('bash', ['--norc', '-c', script])).split('\n').filter(Boolean);
}

for (const [how, setup] of [
  ['alone', 'unset -f _get_comp_words_by_ref'],
  ['with bash-completion', 'source /usr/share/bash-completion/bash_completion'],
] as const) {
  test(`bash ${how} completes commands, files, platforms and names with colons`, async (t) => {
    if (!requireTool(t, 'bash', 'grep', 'dh_bash-completion')) return;
    const space = await shell(t);
    const tag = FAMILIAR.slice(FAMILIAR.lastIndexOf(':') + 1);
    assert.deepEqual(await inBash(space, setup, 'lading doc'), ['doctor']);
    assert.deepEqual(await inBash(space, setup, 'lading save exa'), [FAMILIAR]);
    assert.deepEqual(await inBash(space, setup, `lading save ${FAMILIAR.slice(0, -tag.length)}`), [tag]);
    assert.deepEqual(await inBash(space, setup, `lading save ${FAMILIAR} --platform linux/amd64,linux/arm6`), [
      'linux/amd64,linux/arm64',
    ]);
    assert.deepEqual(await inBash(space, setup, 'lading load -i arch'), ['archive.tar']);
    assert.deepEqual(await inBash(space, setup, 'lading load --unpack fol'), ['folder']);
  });
}

test('fish completes commands, files, platforms and names', async (t) => {
  if (!requireTool(t, 'fish')) return;
  const { within } = await shell(t);
  const inFish = async (line: string): Promise<readonly string[]> => {
    const script = `lading completion fish | source; complete -C '${line}'`;
    return (await within('fish', ['--no-config', '-c', script])).split('\n').filter(Boolean);
  };
  assert.deepEqual(await inFish('lading doc'), ['doctor\tCheck what Lading needs: program, store, disk, registries']);
  assert.deepEqual(await inFish('lading save exa'), [FAMILIAR]);
  assert.deepEqual(await inFish(`lading save ${FAMILIAR} --platform linux/amd6`), ['linux/amd64']);
  assert.deepEqual(valuesOf(await inFish('lading load -i arch')), ['archive.tar']);
  assert.deepEqual(valuesOf(await inFish('lading load --unpack fol')), ['folder/']);
});

test('zsh completes commands, files, platforms and names', async (t) => {
  if (!requireTool(t, 'zsh')) return;
  const { within } = await shell(t);
  // A terminal of its own: the completion of zsh works in its line editor only. Control-X writes the line to a file.
  const inZsh = async (line: string): Promise<string> => {
    const script = `
      zmodload zsh/zpty
      until_there() {
        repeat 600; do
          [[ -e $1 ]] && return
          zpty -r -t z said
          sleep 0.1
        done
        print "no $1: $said"
        exit 1
      }
      cat > setup <<'END'
        autoload -U compinit && compinit -u -D
        zstyle ':completion:*' insert-tab false
        source <(lading completion zsh)
        show() { print -r -- "$BUFFER" > line.part && mv line.part line }
        zle -N show
        bindkey '^X' show
        touch ready
END
      rm -f ready line
      zpty z zsh -f
      zpty -w z 'source ./setup'
      until_there ready
      zpty -w -n z '${line}'$'\t'
      zpty -w -n z $'\x18'
      until_there line
      zpty -d z
      cat line`;
    return (await within('zsh', ['-f', '-c', script])).trimEnd();
  };
  assert.equal(await inZsh('lading doc'), 'lading doctor');
  assert.equal(await inZsh('lading save exa'), `lading save ${FAMILIAR}`);
  assert.match(await inZsh(`lading save ${FAMILIAR} --platform linux/amd6`), / --platform linux\/amd64$/);
  assert.equal(await inZsh('lading load -i arch'), 'lading load -i archive.tar');
});
