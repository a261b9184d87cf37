import type { Command } from 'commander';

/** What the help of each command begins with. A test runs those that need no registry. */
export const HELP_EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  save: [
    'lading save -o app.tar example/app:1',
    'lading save --platform linux/amd64,linux/arm64 example/app:1 | ssh host lading load',
    'lading save --all --dry-run',
  ],
  load: [
    'lading load -i images.tar',
    'lading load --platform linux/arm64 < images.tar',
    'lading load -i images.tar --image "example/*" --key cosign.pub',
  ],
  images: ['lading images', 'lading images "example/*"', 'lading images --tree --sort size'],
  inspect: [
    'lading inspect example/app:1',
    'lading inspect --archive images.tar',
    'lading inspect --html page.html example/app:1',
  ],
  tag: ['lading tag example/app:1 example/app:latest', 'lading tag example/app:2 registry.example/team/app:2'],
  rm: ['lading rm --platform linux/arm64 example/app:1', 'lading rm example/app:1', 'lading rm --all-tags example/app'],
  prune: ['lading prune --dry-run', 'lading prune --grace 24h'],
  verify: ['lading verify', 'lading verify --archive images.tar', 'lading verify --key cosign.pub example/app:1'],
  unpack: ['lading unpack --platform linux/amd64 example/app:1 rootfs', 'lading unpack example/app:1 - > rootfs.tar'],
  copy: [
    'lading copy oci-archive:images.tar oci:layout',
    'lading copy docker://alpine:3.20 docker://registry.example/mirror/alpine:3.20',
    'lading copy --from-file list.txt --jobs 8 --report done.jsonl',
  ],
  pull: ['lading pull alpine:3.20', 'lading pull --platform linux/amd64,linux/arm64 registry.example/team/app:1'],
  push: ['lading push registry.example/team/app:1', 'lading push example/app:1 registry.example/team/app:1'],
  serve: [
    'lading serve --host unix:///run/user/1000/lading.sock',
    'DOCKER_HOST=unix:///run/user/1000/lading.sock docker images',
  ],
  doctor: ['lading doctor', 'lading doctor --write-test'],
  completion: ['source <(lading completion bash)', 'lading completion fish'],
};

const FOOTER = `
Environment: LADING_STORE (--store), LADING_PROGRESS (--progress), LADING_POLICY (--policy).
Exit status: 0 done, 2 wrong argument, 3 incomplete as allowed, 4 not found, 5 damaged or
refused, 6 network, 7 conflict, 8 storage, 9 not trusted, 1 anything else.
More: man lading, and https://github.com/lading/lading/blob/main/docs/command.md`;

/** A command whose help begins with examples, and ends with what is not an option. */
export function withExamples(one: Command): Command {
  const lines = HELP_EXAMPLES[one.name()]?.map((line) => `  ${line}`) ?? [];
  const examples = lines.length === 0 ? one : one.addHelpText('before', `Examples:\n${lines.join('\n')}\n`);
  return examples.addHelpText('after', FOOTER);
}
